"""Tiny models with random weights, made in code: a second or less each, and no download.

They prove plumbing (loading, shapes, batching, parity), never meaning. Tests use them, and
`wherry up --sample-models` where no trained model can be had.
"""

from __future__ import annotations

import importlib
from pathlib import Path

#: Model -> module:function of this package. A name that is a task's is that task's sample model.
BUILDERS: dict[str, str] = {
    "audio-classification": "audio:wav2vec2_classifier",
    "audio-classification-ast": "audio:ast",
    "audio-classification-masked": "audio:masked_wav2vec2_classifier",
    "audio-text-to-text": "audio_language:qwen2_audio",
    "audio-text-to-text-flamingo": "audio_language:audio_flamingo3",
    "audio-text-to-text-music-flamingo": "audio_language:music_flamingo",
    "automatic-speech-recognition": "audio:whisper",
    "automatic-speech-recognition-ctc": "audio:wav2vec2_ctc",
    "automatic-speech-recognition-ctc-masked": "audio:masked_wav2vec2_ctc",
    "automatic-speech-recognition-moonshine": "audio:moonshine",
    "chat": "generation:llama",
    "depth-estimation": "vision:depth_estimation",
    "document-question-answering": "multimodal:layoutlm",
    "document-question-answering-layoutlmv3": "multimodal:layoutlmv3",
    "embedding": "text:encoder",
    "feature-extraction": "text:encoder",
    "fill-mask": "text:fill_mask",
    "image-anonymization": "vision:yolos",
    "image-classification": "vision:image_classification",
    "image-feature-extraction": "vision:image_feature_extraction",
    "image-segmentation": "vision:universal_segmentation",
    "image-segmentation-semantic": "vision:semantic_segmentation",
    "image-text-to-text": "multimodal:llava",
    "image-text-to-text-blip": "prompted:blip",
    "image-text-to-text-blip-2": "prompted:blip2",
    "image-text-to-text-donut": "prompted:donut",
    "image-text-to-text-florence-2": "prompted:florence2",
    "image-text-to-text-git": "prompted:git",
    "image-text-to-text-instructblip": "prompted:instructblip",
    "image-text-to-text-internvl": "visual_language:internvl",
    "image-text-to-text-kosmos-2": "prompted:kosmos2",
    "image-text-to-text-llava-onevision": "visual_language:llava_onevision",
    "image-text-to-text-mistral3": "visual_language:mistral3",
    "image-text-to-text-paligemma": "prompted:paligemma",
    "image-text-to-text-pix2struct": "prompted:pix2struct",
    "image-text-to-text-qwen2-vl": "visual_language:qwen2_vl",
    "image-text-to-text-qwen2.5-vl": "visual_language:qwen2_5_vl",
    "image-text-to-text-qwen3-vl": "visual_language:qwen3_vl",
    "image-text-to-text-smolvlm": "visual_language:smolvlm",
    "image-to-image": "vision:image_to_image",
    "image-to-text": "multimodal:captioner",
    "keypoint-detection": "prompts:vitpose",
    "keypoint-detection-superpoint": "prompts:superpoint",
    "keypoint-matching": "matching:superglue",
    "keypoint-matching-efficientloftr": "matching:efficientloftr",
    "keypoint-matching-lightglue": "matching:lightglue",
    "mask-generation": "prompts:sam",
    "mask-generation-sam-hq": "prompts:sam_hq",
    "mask-generation-sam2": "prompts:sam2",
    "mask-generation-sam3": "prompts:sam3",
    "multimodal-embedding": "prompts:clip",
    "multivector-embedding": "retrieval:colqwen2",
    "object-detection": "vision:yolos",
    "object-detection-detr": "vision:detr",
    "optical-character-recognition": "multimodal:trocr",
    "question-answering": "text:question_answering",
    "question-answering-byte-level": "text:byte_level_question_answering",
    "ranking": "text:ranking",
    "ranking-qwen3": "generation:qwen3_reranker",
    "sentence-similarity": "text:encoder",
    "summarization": "generation:t5",
    "table-question-answering": "text:table_question_answering",
    "tabular-classification": "tabular:classifier",
    "tabular-regression": "tabular:regressor",
    "text-classification": "text:text_classification",
    "text-generation": "generation:llama",
    "text-generation-gpt2": "generation:gpt2",
    "text-pairs": "text:text_pairs",
    "text-to-audio": "music:musicgen",
    "text-to-audio-melody": "music:musicgen_melody",
    "text-to-audio-stereo": "music:stereo_musicgen",
    "text-to-image": "multimodal:stable_diffusion",
    "text-to-speech": "audio:vits",
    "text-to-speech-csm": "audio:csm",
    "text2text-generation": "generation:t5",
    "time-series-forecasting": "series:timesfm",
    "time-series-forecasting-patchtsmixer": "series:patchtsmixer",
    "time-series-forecasting-patchtst": "series:patchtst",
    "time-series-forecasting-timesfm2_5": "series:timesfm2_5",
    "token-classification": "text:token_classification",
    "translation": "generation:t5",
    "translation-nllb": "generation:nllb",
    "video-classification": "videos:videomae",
    "video-classification-vjepa2": "videos:vjepa2",
    "video-mask-generation": "prompts:sam2_video",
    "visual-document-retrieval": "retrieval:colqwen2",
    "visual-document-retrieval-colmodernvbert": "retrieval:colmodernvbert",
    "visual-document-retrieval-colpali": "retrieval:colpali",
    "visual-question-answering": "multimodal:vilt",
    "visual-question-answering-blip": "prompted:blip_answers",
    "zero-shot-audio-classification": "audio:clap",
    "zero-shot-audio-classification-fused": "audio:fused_clap",
    "zero-shot-classification": "text:natural_language_inference",
    "zero-shot-image-classification": "prompts:clip",
    "zero-shot-image-classification-siglip": "prompts:siglip",
    "zero-shot-object-detection": "prompts:owlvit",
    "zero-shot-object-detection-grounding-dino": "grounded:grounding_dino",
    "zero-shot-object-detection-mm-grounding-dino": "grounded:mm_grounding_dino",
    "zero-shot-object-detection-omdet-turbo": "grounded:omdet",
    "zero-shot-object-detection-owlv2": "prompts:owlv2",
}


def build(name: str, folder: Path) -> Path:
    """Write the model of that name to a folder, in the form of transformers. Answers the folder."""
    import torch

    module, _, function = BUILDERS[name].partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    getattr(importlib.import_module(f".{module}", __package__), function)(folder)
    return folder
