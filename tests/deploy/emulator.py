"""The AWS emulator (ministack): starting it, and filling its gaps after a deployment.

Invariant: no template is changed. What the emulator ignores in a template is read from the template as CloudFormation
processed it and then made with the emulator's own API.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import boto3

REGION = "us-east-1"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Emulator:
    """A running emulator, with `environment` for programs that are to use it."""

    def __init__(self, functions_environment, log):
        """Starts it. Functions run as its children, so they inherit `functions_environment`."""
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.state = Path(tempfile.mkdtemp(prefix="beckn-health-deploy-"))
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                ["ministack"],
                cwd=self.state,
                env={
                    **self.environment,
                    **functions_environment,
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(self.port),
                    "MINISTACK_REGION": REGION,
                    "TMPDIR": str(self.state),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the emulator ended with status {self.process.returncode}; see {self.log}")
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def stop(self):
        """Stops it with all functions it runs and forgets its state."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
        shutil.rmtree(self.state, ignore_errors=True)

    # ---------- Gaps ----------

    def fill_gaps(self, stack):
        """Makes what the emulator leaves out of a stack; returns the id of the stack's HTTP API, if it has one.

        A table's time to live is left out on purpose: the emulator deletes what has lapsed without a record in the
        table's stream, so a hold that it deleted before `bpp-tick` would never be heard of. AWS writes that record.
        """
        resources = self.resources(stack)
        template = self.processed(stack)
        for name, resource in template["Resources"].items():
            if name not in resources:
                continue  # its condition does not hold
            if resource["Type"] == "AWS::Lambda::EventSourceMapping":
                self.type_concurrency(resources[name])
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::ApiGatewayV2::Api":
                self.make_routes(resources[name], resource["Properties"]["Body"], resources)
                return resources[name]
        return None

    def resources(self, stack):
        """Physical id of each resource of a stack."""
        found = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        return {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in found}

    def api_of(self, stack):
        """Id of the HTTP API of a stack."""
        template = self.processed(stack)["Resources"]
        names = [name for name, it in template.items() if it["Type"] == "AWS::ApiGatewayV2::Api"]
        return self.resources(stack)[names[0]]

    def mapping_of(self, function):
        """Id of the event source mapping of a function's live alias."""
        mappings = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        return next(it["UUID"] for it in mappings if it["FunctionArn"].endswith(f":{function}:live"))

    def processed(self, stack):
        body = self.client("cloudformation").get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
        return json.loads(body) if isinstance(body, str) else body

    def make_routes(self, api, body, resources):
        """The emulator ignores the API's definition, so each route is made for the function alias it names."""
        gateway = self.client("apigatewayv2")
        for path, methods in body["paths"].items():
            for method, operation in methods.items():
                integration = operation["x-amazon-apigateway-integration"]
                alias = re.search(r"\$\{(\w+)\}/invocations", integration["uri"]["Fn::Sub"])[1]
                made = gateway.create_integration(
                    ApiId=api,
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=resources[alias],
                    PayloadFormatVersion=integration["payloadFormatVersion"],
                )
                gateway.create_route(
                    ApiId=api, RouteKey=f"{method.upper()} {path}", Target=f"integrations/{made['IntegrationId']}"
                )

    def type_concurrency(self, mapping):
        """The emulator keeps a number that came from a parameter as text, and then cannot poll the queue."""
        client = self.client("lambda")
        scaling = client.get_event_source_mapping(UUID=mapping).get("ScalingConfig")
        if scaling:
            client.update_event_source_mapping(
                UUID=mapping, ScalingConfig={"MaximumConcurrency": int(scaling["MaximumConcurrency"])}
            )
