"""Files that hold sound, pictures in motion, or both: their kind, by the first bytes."""

from __future__ import annotations

from typing import NamedTuple


class Container(NamedTuple):
    """A kind of file that holds sound, pictures, or both, as FFmpeg's libraries call it."""

    #: The demuxer's name.
    demuxer: str
    #: For people.
    title: str


_MP4 = Container("mov", "MP4, M4A, MOV or 3GP")
_MATROSKA = Container("matroska", "WebM or Matroska")

#: The first box of an MP4, M4A, 3GP or MOV; its size comes before it.
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")

#: The brands of files that are made as an MP4 is and hold pictures alone: AVIF, HEIF.
_PICTURES = frozenset(
    {
        *(b"avif", b"avis", b"avio", b"avci", b"avcs", b"crx ", b"heic", b"heif", b"heim", b"heis"),
        *(b"heix", b"hevc", b"hevx", b"jpeg", b"miaf", b"mif1", b"mif2", b"msf1", b"MiHB"),
    }
)

_DOCTYPES = (b"webm", b"matroska")

#: What begins so is no raw sound: as samples these are huge, or more than four fixed bytes.
_CONTAINERS = {
    b"#!AMR": Container("amr", "AMR"),
    b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel": Container("asf", "WMA or ASF"),
    b"wvpk": Container("wv", "WavPack"),
}

#: What only a file may begin with where nothing says that it is raw samples.
_WITHOUT_RATE = {
    b"\x00\x00\x01\xba": Container("mpeg", "MPEG"),
    b"\x0bw": Container("ac3", "AC-3"),
    b"FLV\x01": Container("flv", "FLV"),
}


def container(data: bytes, sample_rate: int | None = None) -> Container | None:
    """The kind of a file that only FFmpeg's libraries read, by its first bytes.

    `sample_rate` is that of raw samples, None where only files are sent: fewer bytes tell then.
    """
    if data[4:8] in _BOXES:
        return None if data[8:12] in _PICTURES else _MP4
    if data.startswith(b"\x1aE\xdf\xa3") and any(kind in data[:64] for kind in _DOCTYPES):
        return _MATROSKA
    if data.startswith(b"RIFF") and data[8:12] == b"AVI ":
        return Container("avi", "AVI")
    found = [kind for magic, kind in _CONTAINERS.items() if data.startswith(magic)]
    if not found and sample_rate is None:
        found = [kind for magic, kind in _WITHOUT_RATE.items() if data.startswith(magic)]
        if len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:  # a frame of layer 0
            return Container("aac", "AAC")
        if data[:1] == data[188:189] == b"G":  # packets of 188 bytes
            return Container("mpegts", "MPEG transport stream")
    return found[0] if found else None
