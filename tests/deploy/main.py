"""Deploys everything and runs the scenarios, one line each."""

import argparse
import datetime
import json
import subprocess
import sys
import time

import scenarios
import stacks
from app import App, Failed, wait_until
from emulator import Emulator
from front import Front, certify

DEPLOYMENT = "beckn-health-dev"
IDS = {role: f"{role}.deploy.example" for role in ("bap", "bpp", "gateway", "registry")}
CLI = stacks.ROOT / "target/debug/beckn-health"


class Deployment:
    """What the scenarios work on."""

    def __init__(self, emulator, front, authority_file):
        self.emulator = emulator
        self.front = front
        self.app = App(front.url, authority_file)
        self.keys = {}
        self.name = DEPLOYMENT

    def cli(self, *arguments):
        """Runs the command-line tool as an operator of the deployment would; returns what it printed."""
        done = subprocess.run(
            [CLI, *arguments],
            env={**self.emulator.environment, "BECKN_HEALTH_DEPLOYMENT": DEPLOYMENT},
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode != 0:
            raise Failed(f"beckn-health {' '.join(arguments)}: status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    # ---------- What an operator prepares ----------

    def make_keys(self):
        """A key for each participant: the public half kept for the registry, the private half in a secret."""
        secrets = self.emulator.client("secretsmanager")
        arns = {}
        for role, subscriber_id in IDS.items():
            file = self.emulator.state / f"{role}.json"
            arguments = ["--subscriber-id", subscriber_id, "--key-id", f"{role}-key-1", "--out", str(file)]
            self.keys[role] = json.loads(self.cli("keys", "new", *arguments))
            arns[role] = secrets.create_secret(Name=f"{DEPLOYMENT}/{role}", SecretString=file.read_text())["ARN"]
            file.unlink()
        return arns

    def parameters(self, role, arns):
        """The parameters of a role's template, as the guide has an operator give them."""
        common = {
            "Architecture": stacks.ARCHITECTURE,
            "RegistryUrl": f"{self.front.url}/registry",
        }
        me = {"network": "gateway"}.get(role, role)
        identity = {
            "SubscriberId": IDS[me],
            "SubscriberUrl": f"{self.front.url}/{me}",
            "KeyId": f"{me}-key-1",
            "SigningKeySecretArn": arns[me],
        }
        more = {
            "bap": {"GatewayUrl": f"{self.front.url}/gateway"},
            "network": {
                "RegistrySubscriberId": IDS["registry"],
                "RegistryKeyId": "registry-key-1",
                "RegistrySigningKeySecretArn": arns["registry"],
            },
        }
        return {**common, **identity, **more.get(role, {})}

    def root_parameters(self, arns):
        prefixes = {"bap": "Bap", "bpp": "Bpp", "gateway": "Gateway", "registry": "Registry"}
        found = {
            "Architecture": stacks.ARCHITECTURE,
            "NetworkName": "beckn-root",
            "Stage": "dev",
            "RegistryUrl": f"{self.front.url}/registry",
            "GatewayUrl": f"{self.front.url}/gateway",
            "GatewayId": IDS["gateway"],
        }
        for role, prefix in prefixes.items():
            found[f"{prefix}SubscriberId"] = IDS[role]
            found[f"{prefix}SubscriberUrl"] = f"{self.front.url}/{role}"
            found[f"{prefix}KeyId"] = f"{role}-key-1"
            found[f"{prefix}SigningKeySecretArn"] = arns[role]
        known = stacks.parameter_names()
        return {name: value for name, value in found.items() if name in known}

    def register(self):
        """Puts the participants into the registry and the catalogue into the BPP."""
        types = {"bap": "BAP", "bpp": "BPP", "gateway": "BG", "registry": "BREG"}
        for role, subscriber_type in types.items():
            self.cli(
                *("registry", "add", "--subscriber-id", IDS[role], "--type", subscriber_type),
                *("--url", f"{self.front.url}/{role}", "--key-id", f"{role}-key-1"),
                *("--signing-public-key", self.keys[role]["signing_public_key"]),
            )
        self.cli("catalogue", "load", str(stacks.ROOT / "tests/deploy/catalogue.json"), "--wait")


def say(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="tests/deploy/run", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the emulator running at the end")
    parser.add_argument("--no-build", action="store_true", help="deploy what the last run built")
    arguments = parser.parse_args()
    begun = time.monotonic()

    subprocess.run(["cargo", "build", "--package", "beckn-health"], cwd=stacks.ROOT, check=True)
    if not arguments.no_build:
        say("building the release binaries and laying them out with `sam build`")
        stacks.build()

    folder = stacks.ROOT / "target/deploy"
    authority_file, server_file = certify(folder)
    front = Front(server_file)
    # Peers are on this machine, under a certificate of our own making.
    environment = {"ALLOW_PRIVATE_ADDRESSES": "true", "SSL_CERT_FILE": str(authority_file)}
    emulator = Emulator(environment, folder / "emulator.log")
    failed = False
    try:
        wait_until("the emulator", emulator.is_ready)
        deployment = Deployment(emulator, front, authority_file)
        arns = deployment.make_keys()
        segments = {"network": ["gateway", "registry"], "bpp": ["bpp"], "bap": ["bap", "client"]}
        for nested, role in stacks.ROLES.items():
            template = stacks.BUILD / nested / "template.yaml"
            stack = f"{DEPLOYMENT}-{role}"
            count = stacks.deploy(emulator, template, stack, deployment.parameters(role, arns))
            api = emulator.fill_gaps(stack)
            front.route(segments[role], emulator.port, f"{api}.execute-api.localhost")
            say(f"deployed {stack}: {count} resources")
        observability = stacks.BUILD / "Observability/template.yaml"
        apis = {f"{nested}ApiId": emulator.api_of(f"{DEPLOYMENT}-{role}") for nested, role in stacks.ROLES.items()}
        count = stacks.deploy(emulator, observability, f"{DEPLOYMENT}-observability", apis)
        say(f"deployed {DEPLOYMENT}-observability: {count} resources")
        deployment.register()
        say("registered the participants, loaded the catalogue")
        for scenario in scenarios.ALL:
            scenario_begun = time.monotonic()
            outcome = scenario(deployment)
            say(f"ok   {scenario.__doc__.strip().splitlines()[0]} ({outcome}; {time.monotonic() - scenario_begun:.1f} s)")
        count = stacks.deploy_root(emulator, "beckn-root-dev", deployment.root_parameters(arns))
        say(f"ok   The root deploys with every role nested ({count} stacks)")
        outcome = scenarios.tear_down(emulator, [f"{DEPLOYMENT}-{role}" for role in stacks.ROLES.values()])
        say(f"ok   Tearing down keeps what is to be kept ({outcome})")
    except Failed as failure:
        say(f"FAILED: {failure}; the functions' logs are in {emulator.log}")
        failed = True
    finally:
        if arguments.keep:
            say(f"left running: {front.url} (authority {authority_file}), AWS at {emulator.endpoint}; Ctrl-C ends it")
            try:
                emulator.process.wait()
            except KeyboardInterrupt:
                pass
        front.close()
        emulator.stop()
    say(f"{'failed' if failed else 'all passed'} after {time.monotonic() - begun:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
