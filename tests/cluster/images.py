"""Build every image the tests need, and load into the cluster what is missing or changed.

The product's two images come from ``operator/Dockerfile``; a system under test names its own in
``tests/systems/<system>/images.yaml`` (image name -> Dockerfile, relative to that folder, the build context).
``docker build`` where a Docker daemon answers; elsewhere ``buildah`` on a Debian base made from packages.
An image is known by what went into it: the Dockerfile's stages, the files they copy, and the base. That hash
names its archive in the cache and a second tag of it in the cluster, so neither side is trusted blindly.
"""

from __future__ import annotations

import argparse
import fnmatch
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
HOME = Path(os.environ.get("ZT_CLUSTER_HOME") or CACHE / "zerotrust-cluster")
ARCHIVES = HOME / "images"
REGISTRY, VERSION = "zerotrust.local", "0.1.0"
RELEASE = "bookworm"  # as the Dockerfiles' own FROM
BASE = f"{REGISTRY}/debian-python:{RELEASE}"
BASE_PACKAGES = "ca-certificates,python3"


@dataclass(frozen=True, slots=True)
class Image:
    """One image to build: what it is called and what it is made from."""

    name: str
    context: Path
    dockerfile: Path
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a Dockerfile: its instructions, the stages it builds on, the context paths it copies."""

    text: str
    needs: frozenset[str]
    copies: tuple[str, ...]


def say(message: str) -> None:
    """Progress, for the person waiting."""
    print(f"images: {message}", file=sys.stderr, flush=True)


def run(*command: str | Path, timeout: float = 1800, **environment: str) -> str:
    """What a command printed; its complaints are shown only when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-4000:] + done.stderr[-4000:], file=sys.stderr)
        raise SystemExit(f"images: failed ({done.returncode}): {shlex.join(map(str, command))}")
    return done.stdout


def cluster(*arguments: str | Path) -> str:
    """Ask the cluster's own script."""
    return run(HERE / "cluster.sh", *arguments)


def wanted_images() -> list[Image]:
    """The product's images and those of every system under test; a name given twice is an error."""
    dockerfile = ROOT / "operator" / "Dockerfile"
    images = [
        Image(f"{REGISTRY}/zerotrust-{target}:{VERSION}", ROOT, dockerfile, target) for target in ("operator", "probe")
    ]
    for listing in sorted((ROOT / "tests" / "systems").glob("*/images.yaml")):
        named: dict[str, str] = yaml.safe_load(listing.read_text()) or {}
        images += [Image(name, listing.parent, listing.parent / path) for name, path in named.items()]
    seen: dict[str, Image] = {}
    for image in images:
        other = seen.setdefault(image.name, image)
        if (other.dockerfile, other.target) != (image.dockerfile, image.target):
            raise SystemExit(f"images: {image.name} is named by {other.dockerfile} and by {image.dockerfile}")
    return list(seen.values())


# --- what an image is made from ----------------------------------------------------------------------------


def instructions(dockerfile: str) -> Iterator[str]:
    """Dockerfile instructions with their continued lines joined and comments left out."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            yield line.strip()


def stages(dockerfile: str) -> dict[str, Stage]:
    """The stages of a Dockerfile by name (by number where they have none), in order."""
    parts: list[tuple[str, list[str]]] = []
    for instruction in instructions(dockerfile):
        if start := re.match(r"FROM\s+(?:--\S+\s+)*\S+(?:\s+AS\s+(\S+))?", instruction, re.IGNORECASE):
            parts.append((start[1] or str(len(parts)), []))
        if parts:
            parts[-1][1].append(instruction)
    found: dict[str, Stage] = {}
    for name, body in parts:
        text = "\n".join(body)
        references = re.findall(r"(?:^FROM\s+(?:--\S+\s+)*|--from=|[,=]from=)([\w.-]+)", text, re.M | re.I)
        copies: list[str] = []
        for line in body:
            if re.match(r"(COPY|ADD)\s", line, re.I) and "--from=" not in line:
                copies += [word for word in shlex.split(line)[1:] if not word.startswith("--")][:-1]
        found[name] = Stage(text, frozenset(references) & found.keys(), tuple(copies))
    return found


def reached(all_stages: dict[str, Stage], target: str | None) -> list[Stage]:
    """The stages that make up one target, the base first."""
    wanted, queue = set[str](), [target or list(all_stages)[-1]]
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue += all_stages[name].needs
    return [stage for name, stage in all_stages.items() if name in wanted]


def copied_files(context: Path, patterns: Iterable[str]) -> list[Path]:
    """Every file that these COPY sources bring in, in a fixed order."""
    found: set[Path] = set()
    for pattern in patterns:
        matches = list(context.glob(pattern.strip("/"))) if pattern.strip("./") else [context]
        for match in matches:
            found |= {match} if match.is_file() else {path for path in match.rglob("*") if path.is_file()}
    return sorted(path for path in found if not fnmatch.fnmatch(str(path), "*/__pycache__/*"))


def inputs_hash(image: Image, builder: str) -> str:
    """One hash over everything that decides what the image holds."""
    used = reached(stages(image.dockerfile.read_text()), image.target)
    digest = hashlib.sha256(f"{builder}\n{image.name}\n".encode())
    for stage in used:
        digest.update(stage.text.encode())
    for path in copied_files(image.context, (source for stage in used for source in stage.copies)):
        digest.update(f"\n{path.relative_to(image.context)} {path.stat().st_mode & 0o111:o} ".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:20]


# --- the two builders --------------------------------------------------------------------------------------


def has_docker() -> bool:
    """Whether a Docker daemon answers."""
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@functools.cache
def storage() -> tuple[str | Path, ...]:
    """Buildah's options for a storage of its own: overlay where the file system allows it, else copies."""
    for driver in ("overlay", "vfs"):
        places = ("--root", HOME / f"buildah-{driver}", "--runroot", HOME / f"buildah-{driver}-run")
        options = (*places, "--storage-driver", driver)
        if subprocess.run(["buildah", *options, "info"], capture_output=True, check=False).returncode == 0:
            return options
    raise SystemExit("images: buildah can use neither overlay nor plain folders as its storage")


def buildah(*arguments: str | Path) -> str:
    """Run buildah; chroot isolation needs no container runtime."""
    return run("buildah", *storage(), *arguments, BUILDAH_ISOLATION="chroot")


def base_recipe() -> list[str]:
    """How the Debian base is made: the smallest Debian, Python, and no documents or translations."""
    leave_out = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
    options = [f"--dpkgopt=path-exclude={path}" for path in leave_out]
    return ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}", *options, RELEASE]


def package_sources() -> list[Path]:
    """The machine's own Debian mirror for the base's release; none means the public one."""
    candidates = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
    return [path for path in candidates if path.exists() and RELEASE in path.read_text()][:1]


def ensure_base() -> None:
    """The Debian base in buildah's storage, made from the machine's own package sources."""
    recipe = base_recipe()
    stamp = hashlib.sha256(repr(recipe).encode()).hexdigest()
    made = HOME / ".base.inputs"
    if made.exists() and made.read_text() == stamp and BASE in buildah("images", "--format", "{{.Name}}:{{.Tag}}"):
        return
    say("making the Debian base (about 1 min) ...")
    archive = HOME / "base.tar"
    archive.unlink(missing_ok=True)
    run(*recipe, archive, *package_sources())
    container = buildah("from", "scratch").strip()
    buildah("add", "--quiet", container, archive, "/")
    buildah("commit", "--quiet", "--rm", container, BASE)
    archive.unlink()
    made.write_text(stamp)


def pip_of_the_host() -> list[str]:
    """Mounts that let pip in a build reach the package index as it does outside; none stays in the image."""
    listed = run(sys.executable, "-m", "pip", "config", "list")
    settings = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, re.M))
    kept = {
        key: value
        for key, value in settings.items()
        if key in {"index-url", "extra-index-url", "proxy", "trusted-host"}
    }
    mounts: list[str] = []
    certificates = settings.get("cert") or os.environ.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        kept["cert"] = "/run/pip-ca.crt"
        mounts += ["--volume", f"{Path(certificates).resolve()}:/run/pip-ca.crt:ro"]
    if kept:
        config = HOME / "pip.conf"
        config.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in kept.items()))
        config.chmod(0o644)
        mounts += ["--volume", f"{config}:/etc/pip.conf:ro"]
    return mounts


def build_with_docker(image: Image, archive: Path) -> None:
    """Build, then save: the archive is loaded like any other."""
    target = ["--target", image.target] if image.target else []
    run("docker", "build", "--quiet", "--tag", image.name, "--file", image.dockerfile, *target, image.context)
    run("docker", "save", "--output", archive, image.name)


def build_with_buildah(image: Image, archive: Path) -> None:
    """Build on the Debian base; layers are kept, so that a change of code does not install packages again."""
    ensure_base()
    target = ["--target", image.target] if image.target else []
    options = [
        "--quiet",
        "--layers",
        "--from",
        BASE,
        "--pull-never",
        "--network",
        "host",
        *pip_of_the_host(),
        *target,
    ]
    buildah("bud", *options, "--tag", image.name, "--file", image.dockerfile, image.context)
    buildah("push", "--quiet", image.name, f"oci-archive:{archive}:{image.name}")


# --- build and load ----------------------------------------------------------------------------------------


def built(image: Image, builder: str) -> Path:
    """The archive of the image as its inputs are now; built when there is none yet."""
    made_from = inputs_hash(image, f"{builder} {base_recipe() if builder == 'buildah' else ''}")
    stem = re.sub(r"[^\w.-]+", "_", image.name)
    archive = ARCHIVES / f"{stem}-{made_from}.tar"
    if archive.exists():
        return archive
    say(f"building {image.name} ...")
    start = time.monotonic()
    ARCHIVES.mkdir(parents=True, exist_ok=True)
    fresh = archive.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    (build_with_docker if builder == "docker" else build_with_buildah)(image, fresh)
    for old in ARCHIVES.glob(f"{stem}-*.tar"):
        old.unlink()
    fresh.rename(archive)
    say(f"built {image.name}: {archive.stat().st_size / 1e6:.0f} MB in {time.monotonic() - start:.0f} s")
    return archive


def node_images() -> dict[str, str] | None:
    """Image reference -> digest in the cluster's node; ``None`` where its containerd cannot be reached."""
    done = subprocess.run([HERE / "cluster.sh", "ctr", "images", "ls"], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    rows = (line.split() for line in done.stdout.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def load(image: Image, archive: Path, present: dict[str, str] | None) -> None:
    """Load the archive unless the node holds exactly it; a second tag, named by the inputs, proves it."""
    proof = f"{image.name.rpartition(':')[0]}:inputs-{archive.stem.rpartition('-')[2]}"
    if present is not None and proof in present and present.get(image.name) == present[proof]:
        return
    say(f"loading {image.name} ...")
    cluster("load", archive)
    if present is None:
        return
    for old in present:
        if old.startswith(proof.rpartition("-")[0] + "-"):
            cluster("ctr", "images", "rm", old)
    cluster("ctr", "images", "tag", "--force", image.name, proof)


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--build-only", action="store_true", help="build the archives, touch no cluster")
    parser.add_argument(
        "--list", action="store_true", help="print the images as JSON: name -> archive (built if needed)"
    )
    parser.add_argument("name", nargs="*", help="only images whose name holds one of these words")
    options = parser.parse_args(arguments)
    images = [i for i in wanted_images() if not options.name or any(word in i.name for word in options.name)]
    builder = "docker" if has_docker() else "buildah"
    archives = {image: built(image, builder) for image in images}
    if options.list:
        print(json.dumps({image.name: str(archive) for image, archive in archives.items()}, indent=2))
    elif not options.build_only:
        present = node_images()
        for image, archive in archives.items():
            load(image, archive, present)


if __name__ == "__main__":
    main(sys.argv[1:])
