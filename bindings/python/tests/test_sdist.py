"""The whole way: sdist, a wheel from it, which compiles the library."""
import os
import tarfile

from test_package import DEBIAN, OFFLINE, SMOKE, copied, run


def test_an_sdist_builds_by_itself(tmp_path):
    source = copied(tmp_path)
    env = {name: value for name, value in os.environ.items()
           if name not in ("METERING_ARCHIVE", "PYTHONPATH")}
    env["CFLAGS"] = "-O0 -g0"
    run(DEBIAN, "-m", "build", "--no-isolation", "--sdist", "--outdir",
        tmp_path, source, env=env)
    made, = tmp_path.glob("metering-*.tar.gz")
    with tarfile.open(made) as inside:
        names = inside.getnames()
        inside.extractall(tmp_path / "unpacked")
    root = names[0].split("/")[0]
    for name in ("bundled/libmetering/api/limiter.c", "bundled/LICENSE",
                 "bundled/include/metering/metering.h", "native/module.c",
                 "src/metering/py.typed", "backend.py",
                 "tests/test_limiter.py"):
        assert f"{root}/{name}" in names, name
    # With no checkout around it.
    run(DEBIAN, "-m", "pip", "install", "-q", "--no-deps", "--target",
        tmp_path / "site", tmp_path / "unpacked" / root,
        env={**env, **OFFLINE})
    said = run(DEBIAN, "-c", SMOKE, tmp_path,
               env={**env, "PYTHONPATH": str(tmp_path / "site")})
    assert said.startswith("5 ") and said.endswith("\n1\n")
