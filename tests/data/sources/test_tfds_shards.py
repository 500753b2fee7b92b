"""Records of a data set written shard by shard are the same bytes in every process."""

import subprocess
import sys

from prepare_command import ENVIRONMENT

RECORD = """
import io, hashlib, numpy as np
from PIL import Image
from jaxdepth.data.sources import tfds_shards
file = io.BytesIO()
Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(file, "PNG")
frame = dict(image=file.getvalue(), depth=np.ones((4, 5), np.float16), intrinsics=(1, 2, 3, 4), name="a", scene="b")
record = tfds_shards.serializer((4, 5))(frame | dict(seconds=1294886360.25, gap=0.01))
print(hashlib.sha256(record).hexdigest())
"""


def test_records_are_the_same_bytes_in_every_process():
    command = [sys.executable, "-c", RECORD]
    told = {subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True).stdout for _ in range(3)}
    assert len(told) == 1 and len(told.pop()) == 65
