"""The address plan as a picture: nodes in a row, networks as lanes, a wire for every NIC."""

from __future__ import annotations

from collections.abc import Mapping

from lab.topology.models import NetworkRole, NodeRole, Runtime
from lab.topology.plan import NetworkPlan, NicPlan, NodePlan, Plan
from lab.topology.svg import COLOURS, Box, Canvas

MARGIN = 28
GAP = 24
TITLE_HEIGHT = 62
TILE_HEIGHT = 58
LANE_HEIGHT = 50
LANE_GAP = 16
LANE_LABELS = 196
CARD_HEAD = 56
ROW = 19
PORT_WIDTH = 36
PORT_HEIGHT = 16
WIRES = 34
"""Free height between the cards and the lanes next to them."""

NAME_LENGTH = 22
"""Longest name that fits into a card or a lane, in characters."""

CHARACTER = 7
"""Width of one character of an address."""

ROW_LABEL = 44

ROLE_TEXT = {
    NetworkRole.UPLINK: "the way outside",
    NetworkRole.UNDERLAY: "underlay",
    NetworkRole.MANAGEMENT: "management",
    NetworkRole.HOST_ONLY: "host-only",
}


def render_svg(plan: Plan) -> str:
    """The plan as one self-contained SVG file, light or dark as the reader's screen is."""
    return _Picture(plan).draw()


class _Picture:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lower = [network for network in plan.networks if network is not plan.uplink]
        self._colours = {network.name: f"n{i % COLOURS}" for i, network in enumerate(plan.networks)}
        underlay = plan.underlay
        self._lan = underlay if underlay is not None and underlay.lan_host is not None else None
        self._card_width = _card_width(plan, len(self._lower))
        rows = max(len(node.nics) for node in plan.nodes) + any(node.underlay_pods for node in plan.nodes)
        self._card_height = CARD_HEAD + ROW * rows + 18
        cards = len(plan.nodes) + (self._lan is not None)
        self._lane_width = LANE_LABELS + cards * (self._card_width + GAP)
        self._width = max(2 * MARGIN + self._lane_width - GAP, 960)
        self._lane_width = self._width - 2 * MARGIN
        self._uplink_top = MARGIN + TITLE_HEIGHT + TILE_HEIGHT + 20
        self._cards_top = self._uplink_top + LANE_HEIGHT + WIRES
        self._lower_top = self._cards_top + self._card_height + WIRES
        lanes = len(self._lower) * (LANE_HEIGHT + LANE_GAP) - LANE_GAP
        self._height = self._lower_top + lanes + MARGIN

    def draw(self) -> str:
        plan = self._plan
        canvas = Canvas(
            self._width,
            self._height,
            f"Topology {plan.topology}",
            f"{_count(plan)} on {len(plan.networks)} networks, pods in mode {plan.mode}.",
        )
        self._title(canvas)
        self._tiles(canvas)
        for index, node in enumerate(plan.nodes):
            self._wires(canvas, node, self._card(index))
        lan_card = self._card(len(plan.nodes))
        if self._lan is not None:
            colour = self._colours[self._lan.name]
            canvas.wire(lan_card.middle, lan_card.bottom, self._lane(self._lan).y, f"{colour} dashed")
        for network in plan.networks:
            self._draw_lane(canvas, network)
        for index, node in enumerate(plan.nodes):
            self._draw_card(canvas, node, self._card(index))
        if self._lan is not None:
            self._draw_lan_host(canvas, self._lan, lan_card)
        return canvas.finish()

    def _title(self, canvas: Canvas) -> None:
        canvas.text(MARGIN, MARGIN + 20, self._plan.topology, "title ink")
        canvas.text(MARGIN, MARGIN + 41, _count(self._plan), "soft")

    def _tiles(self, canvas: Canvas) -> None:
        tiles = _tiles(self._plan)
        width = (self._lane_width - 12 * (len(tiles) - 1)) / len(tiles)
        for index, (label, (value, more)) in enumerate(tiles.items()):
            box = Box(MARGIN + index * (width + 12), MARGIN + TITLE_HEIGHT, width, TILE_HEIGHT)
            canvas.box(box, "tile")
            canvas.text(box.x + 12, box.y + 17, label, "label soft")
            canvas.text(box.x + 12, box.y + 34, value, "heading ink")
            canvas.text(box.x + 12, box.y + 50, more, "small soft")

    def _card(self, index: int) -> Box:
        x = MARGIN + LANE_LABELS + index * (self._card_width + GAP)
        return Box(x, self._cards_top, self._card_width, self._card_height)

    def _lane(self, network: NetworkPlan) -> Box:
        if network is self._plan.uplink:
            return Box(MARGIN, self._uplink_top, self._lane_width, LANE_HEIGHT)
        y = self._lower_top + self._lower.index(network) * (LANE_HEIGHT + LANE_GAP)
        return Box(MARGIN, y, self._lane_width, LANE_HEIGHT)

    def _ports(self, node: NodePlan, card: Box) -> Mapping[str, float]:
        """The x of each NIC's port by network name; the uplink's is on the card's upper edge."""
        step = card.width / (len(self._lower) + 1)
        places = {network.name: card.x + step * (index + 1) for index, network in enumerate(self._lower)}
        places[self._plan.uplink.name] = card.middle
        return {nic.network: places[nic.network] for nic in node.nics}

    def _wires(self, canvas: Canvas, node: NodePlan, card: Box) -> None:
        for name, x in self._ports(node, card).items():
            network = self._plan.network(name)
            lane = self._lane(network)
            if network is self._plan.uplink:
                canvas.wire(x, lane.bottom, card.y, self._colours[name])
            else:
                canvas.wire(x, card.bottom, lane.y, self._colours[name])

    def _draw_lane(self, canvas: Canvas, network: NetworkPlan) -> None:
        lane, colour = self._lane(network), self._colours[network.name]
        canvas.box(lane, "paper")
        canvas.box(lane, f"{colour} tint")
        canvas.box(Box(lane.x, lane.y, 5, lane.height), colour, radius=2.5)
        canvas.text(lane.x + 18, lane.y + 21, _short(network.name), f"heading {colour}")
        role = ROLE_TEXT[network.role]
        canvas.text(lane.x + 18, lane.y + 38, role if role != network.name else network.bridge, "small soft")
        canvas.text(lane.x + LANE_LABELS, lane.y + 21, str(network.cidr), "mono ink")
        more = f"gateway {network.host_address.ip}"
        if network.pod_range is not None:
            more += f"  ·  pods {network.pod_range}"
        if self._plan.kubernetes.service_cidr.subnet_of(network.cidr):
            more += f"  ·  services {self._plan.kubernetes.service_cidr}"
        canvas.text(lane.x + LANE_LABELS, lane.y + 38, more, "small soft")
        canvas.text(lane.right - 14, lane.y + 29, f"MTU {network.mtu}", "small soft", anchor="end")
        edge = lane.bottom if network is self._plan.uplink else lane.y
        for index, node in enumerate(self._plan.nodes):
            if x := self._ports(node, self._card(index)).get(network.name):
                canvas.dot(x, edge, colour)
        if network is self._lan:
            canvas.dot(self._card(len(self._plan.nodes)).middle, edge, colour)

    def _draw_card(self, canvas: Canvas, node: NodePlan, card: Box) -> None:
        canvas.box(card, "card", radius=8)
        canvas.text(card.x + 14, card.y + 27, _short(node.name), "heading ink")
        is_control_plane = node.role is NodeRole.CONTROL_PLANE
        size = f"{node.cpus} CPU{'s' if node.cpus > 1 else ''}, {_memory(node.memory_mib)}"
        canvas.text(card.x + 14, card.y + 44, f"{node.role}  ·  {size}", "small soft")
        if is_control_plane:
            canvas.box(Box(card.x, card.y + 14, 4, 32), self._colours[self._plan.node_network], radius=2)
        y = card.y + CARD_HEAD + 14
        for nic in node.nics:
            canvas.text(card.x + 14, y, nic.device, f"mono {self._colours[nic.network]}")
            canvas.text(card.x + 14 + ROW_LABEL, y, _addresses(nic), "mono ink")
            y += ROW
        if node.underlay_pods is not None:
            canvas.text(card.x + 14, y, "pods", "mono soft")
            canvas.text(card.x + 14 + ROW_LABEL, y, str(node.underlay_pods), "mono soft")
        for name, x in self._ports(node, card).items():
            edge = card.y if name == self._plan.uplink.name else card.bottom
            port = Box(x - PORT_WIDTH / 2, edge - PORT_HEIGHT / 2, PORT_WIDTH, PORT_HEIGHT)
            canvas.box(port, self._colours[name], radius=4)
            canvas.text(x, edge + 3.5, node.nic_on(name).device, "port", anchor="middle")

    def _draw_lan_host(self, canvas: Canvas, network: NetworkPlan, card: Box) -> None:
        canvas.box(card, "card dashed", radius=8)
        canvas.text(card.x + 14, card.y + 27, "LAN host", "heading ink")
        canvas.text(card.x + 14, card.y + 44, "neither node nor gateway", "small soft")
        y = card.y + CARD_HEAD + 14
        canvas.text(card.x + 14, y, str(network.lan_host), "mono ink")
        canvas.text(card.x + 14, y + ROW, f"default via {network.host_address.ip}", "mono soft")


def _tiles(plan: Plan) -> dict[str, tuple[str, str]]:
    """What holds for the whole cluster: a value and more about it, by label."""
    cluster = plan.kubernetes
    runtime = "runtime as supplied" if cluster.runtime is Runtime.AUTO else str(cluster.runtime)
    return {
        "MODE": (plan.mode, "the network mode of pods"),
        "KUBERNETES": (cluster.version, runtime),
        "API SERVER": (f"{cluster.api.address}", f"port {cluster.api.port}"),
        "POD CIDR": (str(cluster.pod_cidr), "of overlay and routed modes"),
        "SERVICE CIDR": (
            str(cluster.service_cidr),
            f"API {cluster.api_service_address}, DNS {cluster.dns_address}",
        ),
    }


def _addresses(nic: NicPlan) -> str:
    return ", ".join(map(str, nic.addresses))


def _count(plan: Plan) -> str:
    hosts, workers = len(plan.control_planes), len(plan.workers)
    if not workers:
        return "One node" if hosts == 1 else f"{hosts} nodes, all of them control planes"
    of_hosts = "One control plane" if hosts == 1 else f"{hosts} control planes"
    return f"{of_hosts} and {workers} worker{'' if workers == 1 else 's'}"


def _short(name: str) -> str:
    """The name with its middle left out when it is too long: names often differ in their ends."""
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 8]}…{name[-7:]}"


def _card_width(plan: Plan, ports: int) -> float:
    texts = [_addresses(nic) for node in plan.nodes for nic in node.nics]
    texts += [str(node.underlay_pods) for node in plan.nodes if node.underlay_pods is not None]
    return max(226, ROW_LABEL + CHARACTER * max(map(len, texts)) + 28, (PORT_WIDTH + 8) * ports + 24)


def _memory(mib: int) -> str:
    return f"{mib // 1024} GiB" if mib % 1024 == 0 else f"{mib} MiB"
