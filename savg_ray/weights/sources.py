"""Where each official weight file is published, and what is known about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One place to download from.

    Attributes:
        url: address of the file, or of the archive that holds it.
        archive: file name of that archive (zip); empty when the address is the file's own.
        confirm_page: the address may answer with Google Drive's page that asks whether one really wants the file.
    """

    url: str
    archive: str = ""
    confirm_page: bool = False


@dataclass(frozen=True)
class WeightFile:
    """One official weight file.

    Attributes:
        name: what the evaluator calls it.
        file_name: its name as published, kept in the weights folder and inside archives.
        sources: tried in this order.
        page: where a person finds it with a browser.
        licence: what the publisher says, or that nothing is said.
        sha256: published sum in hexadecimal, or as many of its first digits as are published; may be empty.
        git_blob: published git object id (sha1 over a short header and the content); may be empty.
        size_bytes: published size; 0 when unknown.
    """

    name: str
    file_name: str
    sources: tuple[Source, ...]
    page: str
    licence: str
    sha256: str = ""
    git_blob: str = ""
    size_bytes: int = 0


# README of SAVGBench, "Download pretrained models".
_SAVGBENCH = Source(
    "https://drive.google.com/uc?export=download&id=1_8yjcKEkai_KUR9n4KtduPew0yXxOWlI",
    archive="SAVGBench_PretrainedModels_V1.zip",
    confirm_page=True,
)
_SAVGBENCH_PAGE = "https://drive.google.com/file/d/1_8yjcKEkai_KUR9n4KtduPew0yXxOWlI/view"
_SAVGBENCH_LICENCE = "none stated by SAVGBench"

_FILES = (
    WeightFile(
        name="i3d",
        file_name="i3d_pretrained_400.pt",
        # The two addresses of SAVGBench's fvd/download.py: the one in use, and the one in use before.
        sources=(
            Source("https://github.com/songweige/TATS/raw/refs/heads/main/tats/fvd/i3d_pretrained_400.pt"),
            Source(
                "https://drive.google.com/uc?export=download&id=1mQK8KD8G6UWRa5t87SRMm5PVXtlpneJT", confirm_page=True
            ),
        ),
        page="https://github.com/songweige/TATS/tree/main/tats/fvd",
        licence="MIT (repository TATS); DeepMind's I3D trained on Kinetics-400",
        # The repository's tree names the file by this id since 2022.
        git_blob="a867b87ac3a9097d200598b1d48a1b890d8ec744",
    ),
    WeightFile(
        name="audioclip",
        file_name="AudioCLIP-Full-Training.pt",
        sources=(
            Source("https://github.com/AndreyGuzhov/AudioCLIP/releases/download/v0.1/AudioCLIP-Full-Training.pt"),
        ),
        page="https://github.com/AndreyGuzhov/AudioCLIP/releases/tag/v0.1",
        licence="MIT (repository AudioCLIP)",
        # Git LFS pointer in the repository's first commit, 611d974.
        sha256="2441d35b353352c8b1bbfb8f7c687f46314c3d2909e940eaf763b8c17f632c44",
        size_bytes=537_302_068,
    ),
    WeightFile(
        name="seld",
        file_name="params_swa_20240912162834_0040000.pth",
        sources=(_SAVGBENCH,),
        page=_SAVGBENCH_PAGE,
        licence=_SAVGBENCH_LICENCE,
    ),
    WeightFile(
        name="yolox_tiny",
        file_name="yolox_tiny_8x8_300e_coco_20211124_171234-b4047906.pth",
        # The address in mmdetection's configs/yolox/metafile.yml; the same file lies in SAVGBench's archive.
        sources=(
            Source(
                "https://download.openmmlab.com/mmdetection/v2.0/yolox/yolox_tiny_8x8_300e_coco/"
                "yolox_tiny_8x8_300e_coco_20211124_171234-b4047906.pth"
            ),
            _SAVGBENCH,
        ),
        page="https://github.com/open-mmlab/mmdetection/tree/main/configs/yolox",
        licence="Apache-2.0 (repository mmdetection)",
        # mmdetection ends file names with the first digits of the sum.
        sha256="b4047906",
    ),
    WeightFile(
        name="joint",
        file_name="model330011.pt",
        sources=(_SAVGBENCH,),
        page=_SAVGBENCH_PAGE,
        licence=_SAVGBENCH_LICENCE,
    ),
    WeightFile(
        name="sr",
        file_name="model_SR_mmdiff_120000.pt",
        sources=(_SAVGBENCH,),
        page=_SAVGBENCH_PAGE,
        licence=_SAVGBENCH_LICENCE,
    ),
)

WEIGHT_FILES = {file.name: file for file in _FILES}
