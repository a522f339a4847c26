"""Building and deploying the templates with the SAM CLI.

Invariant: what is deployed is what `sam build` made of the templates as they are. Each role's template is deployed alone,
and then the root with all of them nested.
"""

import json
import os
import platform
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "target/deploy/build"
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
ROLES = {"Network": "network", "Bpp": "bpp", "Bap": "bap"}


def build():
    """All release binaries at once, then `sam build`, which finds them built and lays them out."""
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(
        ["cargo", "lambda", "build", "--release", "--package", "beckn-health-functions"], cwd=ROOT, check=True
    )
    # Into a file: one heading for each of the functions.
    log = BUILD.parent / "build.log"
    with open(log, "wb") as output:
        built = subprocess.run(
            ["sam", "build", "--template", "template.yaml", "--build-dir", str(BUILD)]
            + ["--parameter-overrides", f"Architecture={ARCHITECTURE}"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if built.returncode != 0:
        raise SystemExit(f"sam build failed:\n{log.read_text()[-4000:]}")


def deploy(emulator, template, stack, parameters):
    """`sam deploy`; fails with the end of its output if the stack does not come up."""
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    sam(
        *(emulator, "deploy", template, "--stack-name", stack),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset"),
        *("--no-fail-on-empty-changeset", "--parameter-overrides", *overrides),
    )
    return len(emulator.resources(stack))


def deploy_root(emulator, stack, parameters):
    """`sam package` and `sam deploy` of the root.

    The emulator applies the SAM transform to the root alone, so the nested templates, with their code uploaded, are
    transformed first.
    """
    # Here, not above: this package is a large one to import, and only this needs it.
    import logging

    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    logging.disable()  # it warns of feature flags that only the AWS service reads
    packaged = BUILD.parent / "packaged.yaml"
    sam(emulator, "package", BUILD / "template.yaml", "--output-template-file", packaged)
    template = yaml_parse(packaged.read_text())
    storage = emulator.client("s3")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the transform reads it
    plain_root = BUILD.parent / "root/template.json"
    plain_root.parent.mkdir(exist_ok=True)
    for name, resource in template["Resources"].items():
        bucket, key = resource["Properties"]["Location"].split("/", 3)[3].split("/", 1)
        nested = yaml_parse(storage.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
        defaults = {it: str(value.get("Default", "")) for it, value in nested["Parameters"].items()}
        plain = transform(nested, {**defaults, "Architecture": ARCHITECTURE, "Stage": parameters["Stage"]}, lambda: {})
        plain_root.with_name(f"{name}.json").write_text(json.dumps(plain))
        resource["Properties"]["Location"] = f"{name}.json"
    plain_root.write_text(json.dumps(template))
    return deploy(emulator, plain_root, stack, parameters)


def sam(emulator, command, template, *arguments):
    """`sam deploy` or `sam package`; ends the run with the last of its output if it fails."""
    done = subprocess.run(
        ["sam", command, "--template-file", template, "--resolve-s3", "--region", "us-east-1", *arguments],
        cwd=BUILD,
        env=emulator.environment,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"sam {command} of {template} failed:\n{(done.stdout + done.stderr)[-4000:]}")


def parameter_names():
    """The parameters that the root knows."""
    from samtranslator.yaml_helper import yaml_parse

    return set(yaml_parse((ROOT / "template.yaml").read_text())["Parameters"])


def delete(emulator, stack):
    """Deletes a stack and waits until it is gone."""
    cloudformation = emulator.client("cloudformation")
    cloudformation.delete_stack(StackName=stack)
    for _ in range(120):
        try:
            status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except cloudformation.exceptions.ClientError:
            return
        if status == "DELETE_COMPLETE":
            return
        time.sleep(0.5)
    raise SystemExit(f"stack {stack} is not deleted: {status}")
