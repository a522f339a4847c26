"""Rules for functions: alarms, the way a new version goes live, what they run on."""

from own.stack import GONE, owner, rule, texts


@rule(
    ("bap", "dev", "BapTransactionErrorsAlarm", GONE, "BapTransactionFunction"),
    ("bap", "prod", "BapSearchThrottlesAlarm", GONE, "BapSearchFunction"),
    ("bpp", "dev", "BppSearchErrorsAlarm/Properties/Dimensions/0/Value/Ref", "BppSelectFunction", "BppSearchFunction"),
    ("bpp", "dev", "BppTickThrottlesAlarm/Properties/Threshold", 5, "BppTickFunction"),
)
def function_alarms(stack):
    """Every function has an alarm on its first error and one on its first throttle, both naming it."""
    for id, _ in stack.all("Lambda::Function"):
        missing = [it for it in ("Errors", "Throttles") if not stack.alarmed("AWS/Lambda", it, "FunctionName", id, 0)]
        yield id, missing and f"has no alarm on {' and '.join(missing)}"


@rule(
    ("bpp", "prod", "BppOnInitFunctionAliaslive/UpdatePolicy", GONE, "BppOnInitFunctionAliaslive"),
    (
        "bpp",
        "prod",
        "BppInitFunctionDeploymentGroup/Properties/AlarmConfiguration/Alarms/1",
        GONE,
        "BppInitFunctionAliaslive",
    ),
    (
        "bap",
        "prod",
        "BapInitFunctionDeploymentGroup/Properties/AutoRollbackConfiguration/Events/1",
        GONE,
        "BapInitFunctionAliaslive",
    ),
    (
        "bap",
        "prod",
        "BapInitFunctionDeploymentGroup/Properties/DeploymentConfigName",
        "CodeDeployDefault.LambdaAllAtOnce",
        "BapInitFunctionAliaslive",
    ),
    ("network", "dev", "RegistryLookupFunctionAliaslive", GONE, "RegistryLookupFunction"),
)
def canaries(stack):
    """Every function has an alias; in prod it moves by a canary, and back when an alarm of its function goes off."""
    functions = {function: alias for alias, function in stack.aliases.items()}
    for function, _ in stack.all("Lambda::Function"):
        alias = functions.get(function)
        if alias is None or stack.stage != "prod":
            yield function, alias is None and "has no alias"
            continue
        update = stack.resources[alias].get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        group = stack.resources.get(owner(update.get("DeploymentGroupName")), {}).get("Properties", {})
        watched = {
            stack.resources[owner(alarm["Name"])]["Properties"]["MetricName"]
            for alarm in group.get("AlarmConfiguration", {}).get("Alarms", [])
            if owner(stack.resources[owner(alarm["Name"])]["Properties"]["Dimensions"][0]["Value"]) == function
        }
        back = group.get("AutoRollbackConfiguration", {})
        rolls_back = back.get("Enabled") and "DEPLOYMENT_STOP_ON_ALARM" in back.get("Events", [])
        canary = any("Canary" in text for text in texts(group.get("DeploymentConfigName")))
        if not canary:
            yield alias, "moves all at once"
        else:
            sound = rolls_back and watched == {"Errors", "Throttles"}
            yield alias, not sound and "does not move back when an alarm of its function goes off"


@rule(
    ("bpp", "dev", "BppOnInitFunction/Properties/Runtime", "provided.al2", "BppOnInitFunction"),
    ("bpp", "dev", "BppOnInitFunction/Properties/Architectures", ["x86_64"], "BppOnInitFunction"),
    ("bap", "prod", "BapInitFunction/Properties/TracingConfig", GONE, "BapInitFunction"),
    ("bap", "prod", "BapInitFunction/Properties/ReservedConcurrentExecutions", GONE, "BapInitFunction"),
)
def runtime(stack):
    """Every function runs on provided.al2023 and arm64, is traced, and has the concurrency that is reserved for it."""
    for id, function in stack.all("Lambda::Function"):
        reserved = 100 if stack.stage == "prod" else None
        wanted = {
            "Runtime": "provided.al2023",
            "Architectures": ["arm64"],
            "TracingConfig": {"Mode": "Active"},
            "ReservedConcurrentExecutions": reserved,
        }
        wrong = [name for name, value in wanted.items() if function.get(name) != value]
        yield id, wrong and f"{wrong[0]} is {function.get(wrong[0])}, expected {wanted[wrong[0]]}"
