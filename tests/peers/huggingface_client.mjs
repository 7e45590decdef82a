// Drives @huggingface/inference; each line printed is one call's answer.
// Runs beside its own node_modules: node huggingface_client.mjs <url> <folder>
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { InferenceClient } from "@huggingface/inference";

const [url, folder] = process.argv.slice(2);
const image = new Blob([readFileSync(`${folder}/image.png`)], { type: "image/png" });
const sound = new Blob([readFileSync(`${folder}/sound.wav`)], { type: "audio/wav" });
const text = "The quick brown fox jumps over the lazy dog.";
const labels = ["red circle", "blue square"];
const short = { max_new_tokens: 6 };
const words = [["Total", [100, 100, 200, 150]], ["39.50", [220, 100, 320, 150]]];

const calls = [
  ["textClassification", "text-classification", { inputs: text, parameters: { top_k: 2 } }],
  ["zeroShotClassification", "zero-shot-classification",
    { inputs: text, parameters: { candidate_labels: labels } }],
  ["fillMask", "fill-mask", { inputs: "The quick [MASK].", parameters: { top_k: 3 } }],
  ["tokenClassification", "token-classification", { inputs: text }],
  ["questionAnswering", "question-answering",
    { inputs: { question: "Who jumps?", context: text } }],
  ["tableQuestionAnswering", "table-question-answering",
    { inputs: { query: "How many?", table: { boat: ["wherry", "tug"], number: ["12", "3"] } } }],
  ["documentQuestionAnswering", "document-question-answering",
    { inputs: { image, question: "Total?" }, parameters: { word_boxes: words } }],
  ["visualQuestionAnswering", "visual-question-answering",
    { inputs: { image, question: "What?" } }],
  ["summarization", "summarization", { inputs: text, parameters: { generate_parameters: short } }],
  ["translation", "translation", { inputs: text, parameters: { generate_parameters: short } }],
  ["textGeneration", "text-generation", { inputs: "The quick", parameters: short }],
  ["featureExtraction", "feature-extraction", { inputs: text }],
  ["sentenceSimilarity", "sentence-similarity",
    { inputs: { source_sentence: text, sentences: ["A fox.", "Rates rose."] } }],
  ["imageClassification", "image-classification", { data: image }],
  ["objectDetection", "object-detection", { data: image }],
  ["imageSegmentation", "image-segmentation",
    { inputs: image, parameters: { threshold: 0.1, subtask: "semantic" } }],
  ["zeroShotImageClassification", "zero-shot-image-classification",
    { inputs: { image }, parameters: { candidate_labels: labels } }],
  ["imageToText", "image-to-text", { data: image }],
  ["imageToImage", "image-to-image", { inputs: image }],
  ["textToImage", "text-to-image",
    { inputs: "fog", parameters: { num_inference_steps: 2, seed: 7, width: 32, height: 32 } }],
  ["textToSpeech", "text-to-speech", { inputs: "Hello." }],
  ["audioClassification", "audio-classification", { data: sound }],
  ["automaticSpeechRecognition", "automatic-speech-recognition", { data: sound }],
];

async function plain(answer) {
  if (!(answer instanceof Blob)) return answer;
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { type: answer.type, bytes: createHash("sha256").update(bytes).digest("hex") };
}

async function tell(call, answer) {
  console.log(JSON.stringify({ call, answer: await plain(answer) }));
}

for (const [method, task, args] of calls) {
  const client = new InferenceClient("", { endpointUrl: `${url}/models/${task}` });
  try {
    await tell(method, await client[method](args));
  } catch (error) {
    await tell(method, `${error.name}: ${error.message} ${JSON.stringify(error.httpResponse?.body ?? "")}`);
  }
}

const client = new InferenceClient("", { endpointUrl: `${url}/models/fill-mask` });
try {
  await client.fillMask({ inputs: "no mask" });
} catch (error) {
  await tell("error", error.message);
}
