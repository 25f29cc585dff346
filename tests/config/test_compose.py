"""The compose file: each service's limits, networks, ports, and what Grafana is given."""

import json
import re
from typing import Any

import pytest
import yaml

from tests.stand_ins.processes import ROOT


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


COMPOSE = read("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MONITORING = [name for name, each in SERVICES.items() if each.get("profiles") == ["monitoring"]]
#: the superuser of PostgreSQL's image makes and owns its files before it gives its rights up
MAY_WRITE_AND_HAS_RIGHTS = {"postgres"}
#: all that is asked for without a profile
BY_ITSELF = {"lottery"}


def networks_of(name: str) -> set[str]:
    return set(SERVICES[name]["networks"])


def mounts_of(name: str) -> dict[str, str]:
    """Return which path in the container shows which file or volume."""
    mounts = (mount.split(":") for mount in SERVICES[name].get("volumes", []))
    return {mount[1]: mount[0] for mount in mounts}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_limited_watched_and_without_rights(name: str) -> None:
    service = SERVICES[name]

    assert {"mem_limit", "cpus", "pids_limit", "logging", "networks"} <= service.keys()
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert ("build" in service) != ("healthcheck" in service)
    if name not in MAY_WRITE_AND_HAS_RIGHTS:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service.get("cap_add", []) in ([], ["NET_BIND_SERVICE"])
    assert bool(service.get("profiles")) != (name in BY_ITSELF)


@pytest.mark.parametrize("name", SERVICES)
def test_every_network_volume_and_file_of_a_service_is_there(name: str) -> None:
    assert networks_of(name) <= COMPOSE["networks"].keys()
    for source in mounts_of(name).values():
        if source.startswith("./"):
            assert (ROOT / source).is_file(), source
        elif "$" not in source:
            assert source in COMPOSE["volumes"]


def test_of_the_ports_only_those_of_the_site_are_open_to_other_machines() -> None:
    for name in SERVICES.keys() - {"caddy"}:
        for port in SERVICES[name].get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"


def test_only_what_must_reach_other_networks_is_on_one_that_does() -> None:
    """The lottery asks the beacon, Caddy gets certificates; the other one only opens ports."""
    open_networks = {
        name for name, network in COMPOSE["networks"].items() if not network.get("internal")
    }

    with_a_way_out = {name for name in SERVICES if networks_of(name) & open_networks}
    assert with_a_way_out == {"lottery", "caddy", "monitoring-proxy"}


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("lottery", "prometheus", {"metrics"}),
        ("prometheus", "grafana", {"monitoring"}),
        ("caddy", "postgres", set()),
        ("caddy", "prometheus", set()),
        ("caddy", "grafana", set()),
        ("lottery", "grafana", set()),
        ("lottery", "monitoring-proxy", set()),
        ("postgres", "prometheus", set()),
        ("postgres", "grafana", set()),
        ("backup", "prometheus", set()),
    ],
)
def test_services_reach_each_other_only_where_they_must(
    one: str, other: str, shared: set[str]
) -> None:
    assert networks_of(one) & networks_of(other) == shared


def test_the_network_whose_name_opens_the_metrics_is_prometheus_alone() -> None:
    lottery = SERVICES["lottery"]
    name = lottery["environment"]["METRICS_NAME"]

    of_networks = {
        network: (given or {}).get("aliases", []) for network, given in lottery["networks"].items()
    }
    assert of_networks == {"site": [], "database": [], "metrics": [name]}
    on_it = {service for service in SERVICES if "metrics" in networks_of(service)}
    assert on_it == {"lottery", "prometheus"}
    assert "METRICS_NAME" in (ROOT / "config" / "start.sh").read_text(encoding="utf-8")


def test_the_profile_monitoring_has_prometheus_grafana_and_what_leads_to_them() -> None:
    assert MONITORING == ["prometheus", "grafana", "monitoring-proxy"]
    for name in ("prometheus", "grafana"):
        assert "ports" not in SERVICES[name]


def test_prometheus_reads_our_files_and_asks_the_lottery_where_it_is() -> None:
    mounts = mounts_of("prometheus")
    settings = read("config/monitoring/prometheus.yml")

    command = SERVICES["prometheus"]["command"]
    [file] = [each.removeprefix("--config.file=") for each in command if "config.file" in each]
    assert mounts[file] == "./config/monitoring/prometheus.yml"
    [rules] = settings["rule_files"]
    assert mounts[f"{file.rpartition('/')[0]}/{rules}"] == f"./config/monitoring/{rules}"
    [path] = [each.removeprefix("--storage.tsdb.path=") for each in command if "tsdb.path" in each]
    assert mounts[path] == "figures"
    [job] = settings["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["lottery:8080"]}]
    assert not any("enable-admin-api" in each or "enable-lifecycle" in each for each in command)


def test_grafana_has_no_account_and_lets_nobody_change_anything() -> None:
    given = SERVICES["grafana"]["environment"]

    assert given["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert given["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert given["GF_AUTH_BASIC_ENABLED"] == "false"
    # its image's default is admin, admin: without an account there is none
    assert not [name for name in given if "PASSWORD" in name]


def test_grafana_is_given_prometheus_and_the_dashboard() -> None:
    mounts = mounts_of("grafana")
    provisioning = "/etc/grafana/provisioning"
    [source] = read(mounts[f"{provisioning}/datasources/lottery.yml"])["datasources"]
    [provider] = read(mounts[f"{provisioning}/dashboards/lottery.yml"])["providers"]
    prometheus = read("config/monitoring/prometheus.yml")

    assert source["url"] == "http://prometheus:9090"
    assert source["type"] == "prometheus"
    assert source["access"] == "proxy"
    assert source["isDefault"] is True
    assert source["editable"] is False
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(f"{provider['options']['path']}/")
    assert mounts[home] == "./config/monitoring/dashboard.json"


def test_the_dashboard_needs_no_import_by_hand() -> None:
    """Provisioned dashboards get no `__inputs`; a variable takes the default source of its type."""
    text = (ROOT / "config" / "monitoring" / "dashboard.json").read_text(encoding="utf-8")
    dashboard = json.loads(text)

    assert "__inputs" not in dashboard
    assert dashboard["uid"]
    [variable] = [each for each in dashboard["templating"]["list"] if each["type"] == "datasource"]
    assert variable["query"] == "prometheus"
    for panel in dashboard["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    assert set(re.findall(r"\$\{(\w+)\}", text)) == {variable["name"]}


def test_secrets_in_files_reach_the_services_that_read_them() -> None:
    of_files = read("config/compose.secrets.yml")

    assert of_files["services"].keys() <= SERVICES.keys()
    for name, given in of_files["services"].items():
        for setting, path in given["environment"].items():
            assert setting.removesuffix("_FILE") in SERVICES[name]["environment"], setting
            assert path.removeprefix("/run/secrets/") in given["secrets"]
        assert set(given["secrets"]) <= of_files["secrets"].keys()


def test_what_the_example_sets_is_read() -> None:
    example = (ROOT / "config" / "deploy.env.example").read_text(encoding="utf-8")
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    names = set(re.findall(r"(?m)^(?:# )?([A-Z_]+)=", example)) - {"COMPOSE_PROFILES"}
    assert names <= set(re.findall(r"\$\{(\w+)", compose))
