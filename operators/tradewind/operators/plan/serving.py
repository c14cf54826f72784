"""The applications of a Ray cluster's Serve. Core.

One writer renders all of them, since a PUT removes what it doesn't list.
"""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, gates, redeploying, rollout
from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.difference import holds
from tradewind.operators.plan.model import Condition, Object, Plan, Ref, Request, World
from tradewind.operators.plan.models import reached, trains
from tradewind.operators.plan.shared import trading
from tradewind.operators.plan.times import parsed, written
from tradewind.planning.legs import CHALLENGER
from tradewind.planning.local import PREDICTOR_APPLICATION, model_alias
from tradewind.planning.pods import predictor
from tradewind.specs import Strategy

SERVING = Ref("Serving", "predictor")
APPLICATION, DEPLOYMENT = PREDICTOR_APPLICATION, "Predictor"
IMPORT_PATH = "tradewind.serving.predictor:build"
SERVICER = "tradewind.v1.prediction_pb2_grpc.add_PredictionServicer_to_server"
PATH = "/api/serve/applications/"


def plan(world: World, name: str, config: OperatorConfig, now: str, problem: str = "") -> Plan:  # noqa: ARG001
    """The plan for what is served; the strategies' conditions tell of it."""
    found = world.get("ServeApplications", "all")
    if not trains(config) or not reached(world) or found is None:
        return Plan()
    deployed: dict[str, Object] = found["applications"]
    every = documents.strategies(world)
    bound = [s for s in trading(world)[0] if _may_be_served(s, world)]
    challengers = sorted({s.model_name for s in trading(world)[0] if _has_challenger(s, world)})
    asked = [_application(bound, every, config, challengers)] if bound or challengers else []
    there = deployed.get(APPLICATION)
    wanted = [redeploying.as_due(application, there, parsed(now)) for application in asked]
    if set(deployed) & {APPLICATION} == {a["name"] for a in wanted} and all(
        _is(deployed[a["name"]]["config"], a) for a in wanted
    ):
        return Plan(again_s=redeploying.wait_s(there, parsed(now)) if wanted else None)
    # Others' applications were deployed by a PUT of theirs, and go on.
    others = [a["config"] for n, a in sorted(deployed.items()) if n != APPLICATION and a["config"]]
    return Plan(requests=[Request("ray", "PUT", PATH, {**_proxy(config), "applications": [*others, *wanted]})])


def _is(config: Object | None, wanted: Object) -> bool:
    """Whether an application is deployed as wanted. Serve adds defaults, but not to what is ours to say."""
    if not config or not holds(config, wanted):
        return False
    (own,) = wanted["deployments"]
    return bool(config["args"] == wanted["args"] and config["deployments"][0]["user_config"] == own["user_config"])


def _may_be_served(strategy: Strategy, world: World) -> bool:
    alias = model_alias(strategy, documents.of_model(world, strategy.model_name))
    return gates.aliased(world.get("RegisteredModel", strategy.model_name), alias) is not None


def _has_challenger(strategy: Strategy, world: World) -> bool:
    """Whether its challenger may be served: the alias must point at just that version."""
    document = world.get("Strategy", strategy.metadata.name) or {}
    version = rollout.read(document.get("status")).challenger if strategy.spec.mode == "Live" else None
    there = gates.aliased(world.get("RegisteredModel", strategy.model_name), CHALLENGER)
    return version is not None and there is not None and there.number == version


def _application(
    strategies: list[Strategy], every: Sequence[Strategy], config: OperatorConfig, challengers: list[str]
) -> Object:
    made = predictor(strategies, every, config.site(), challengers)
    return {
        "name": APPLICATION,
        "route_prefix": "/",
        "import_path": IMPORT_PATH,
        "args": made["args"],
        "deployments": [{"name": DEPLOYMENT, "user_config": made["user_config"]}],
    }


def _proxy(config: OperatorConfig) -> Object:
    """Serve's own settings, which count when it starts. The proxy's gRPC port is the predictor's."""
    port = int(config.services.predictor.rsplit(":", 1)[1])
    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": "127.0.0.1"},
        "grpc_options": {"port": port, "grpc_servicer_functions": [SERVICER]},
    }


def served(name: str, alias: str, world: World) -> Condition:
    """Whether the predictor serves the model `name` under `alias`."""
    refused = world.get("Refused", f"{SERVING.kind}/{SERVING.name}")
    if refused is not None:
        return false("Ready", "PredictorRefused", refused["problem"])
    told = world.get("ServeApplications", "all")
    if told is None:
        heard = world.get("Heard", "ray") or {"problem": "it has not answered yet"}
        return false("Ready", "PredictorUnknown", f"services.ray: {heard['problem']}")
    found = told["applications"].get(APPLICATION)
    model = {"name": name, "alias": alias}
    if found is None or not found["config"]:
        return false("Ready", "PredictorMissing", f"application {APPLICATION} is not in Ray Serve yet")
    models = found["config"].get("deployments", [{}])[0].get("user_config", {}).get("models", [])
    if model not in models:
        return false("Ready", "PredictorChanging", f"the predictor is about to serve model {model['name']}, {alias}")
    if found["status"] in ("NOT_STARTED", "DEPLOYING"):
        return false("Ready", "PredictorChanging", f"application {APPLICATION} is {found['status']}")
    if found["status"] == redeploying.FAILED:
        number, when = redeploying.attempt(found), redeploying.next_at(found)
        return false(
            "Ready",
            "PredictorFailed",
            f"application {APPLICATION}: attempt {number} to deploy it failed: "
            f"{found['message'] or 'it said nothing'}; attempt {number + 1} comes at {written(when)}",
        )
    if found["status"] != "RUNNING":
        why = f": {found['message']}" if found["message"] else ""
        return false("Ready", "PredictorNotRunning", f"application {APPLICATION} is {found['status']}{why}")
    return true("Ready", "PredictorRunning", f"model {model['name']} is served")
