"""The fixtures that all tests share: databases, queue, Twilio, clock and environment."""

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Before anything of the app is imported: the queue takes its address from the environment then.
ENV_EXAMPLE = Path(__file__).parents[1] / ".env.example"
FOLDER = Path(tempfile.mkdtemp(prefix="chairtime-test-"))
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
SETTINGS = tuple(re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE.read_text(), re.MULTILINE))
