"""KITTI, Eigen's test split: 697 street pictures, of which 652 have the improved truth of the depth benchmark.

Pictures, list and cameras are those of `kitti_raw`. The truth is that of the archive data_depth_annotated: 11 laser
scans put together and checked by stereo (Uhrig 2017), train/DRIVE or val/DRIVE with
proj_depth/groundtruth/image_02/0000000005.png: 16 bit, depth is the code / 256, and 0 is no measurement (the
benchmark's readme). It may lie in the given folder or in one directly in it, such as data_depth_annotated; also without
train and val (BTS), or inside the raw drives (monodepth2).

The benchmark has no truth for the first and last five pictures of a drive. Of Eigen's, these are 45, which all leave
out: BTS's list has `None` there, monodepth2 has a list without them. Here the files decide, so that every list gives
the same 652; but a drive without any truth, and a truth that the list names and is not there, are errors.

Pictures are not cropped. Some readers (BTS, ZoeDepth, Marigold) crop them to 352x1216 first, and differ in whether
Garg's crop is then that of the whole picture or of this part.
"""

import pathlib

from jaxdepth.data.sources.testsets import codes, kitti_raw, testset

METRES = 1 / 256  # per code
TRUTH = "laser scans put together"
_EXPECTED = (
    "raw data DATE/DRIVE/image_02/data, data_depth_annotated with train/DRIVE/proj_depth and val/DRIVE/proj_depth, and "
    "a list of Eigen's test pictures"
)


def find(path) -> testset.TestSet:
    """Finds the pictures of the list that have a truth.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if there is no list or a line is of another form, a drive has no truth at all, or files are missing or
        damaged.
    """
    path = pathlib.Path(path)
    places = kitti_raw.folders(path, _EXPECTED)
    frames = kitti_raw.read_list(path)
    drives = dict.fromkeys(frame.drive for frame in frames)
    raws = {drive: kitti_raw.drive_folder(places, drive) for drive in drives}
    truths = {drive: _truth_folder(places, drive) for drive in drives}
    cameras = {drive: kitti_raw.camera(raw.parent / "calib_cam_to_cam.txt") for drive, raw in raws.items()}
    found = []
    for frame in frames:
        truth = truths[frame.drive] / f"{frame.number}.png"
        if frame.has_truth or truth.is_file():
            found.append((frame, kitti_raw.picture_file(raws[frame.drive], frame.number), truth))
    testset.missing_files(path, [file for _, *files in found for file in files])
    examples = tuple(
        kitti_raw.example(frame, picture, truth, codes.header_size(truth), cameras[frame.drive])
        for frame, picture, truth in found
    )
    notes = []
    if without := len(frames) - len(found):
        notes.append(f"{without} of the {len(frames)} listed pictures left out: the benchmark has no truth for them")
    if unknown := sum(example.camera is None for example in examples):
        notes.append(f"{unknown} pictures without a camera: no calib_cam_to_cam.txt in the folder of their date")
    return testset.TestSet(path, examples, read_depth, TRUTH, tuple(notes))


def read_depth(example):
    """Depth of an Example whose `depth` is a PNG of the benchmark; raises as `codes.read_depth`."""
    return codes.read_depth(example.depth, METRES, example.size)


def _truth_folder(places, drive):
    """The folder of the truth of a drive."""
    parts = [part for place in places for part in (place / "val", place / "train", place, place / drive[:10])]
    truths = [part / drive / "proj_depth" / "groundtruth" / "image_02" for part in parts]
    truth = next((folder for folder in truths if folder.is_dir()), None)
    if truth is None:
        raise testset.wrong_layout(places[0], f"no {drive}/proj_depth/groundtruth/image_02", _EXPECTED)
    return truth
