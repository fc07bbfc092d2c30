"""All rules, and all codes in the order in which a reader wants them: the cause that explains most first."""

from __future__ import annotations

from l2probe.judge.address import address_pending, address_taken, foreign_class, pool_conflict
from l2probe.judge.admission import policy_denies_world
from l2probe.judge.announcement import (
    address_silent,
    broadcast_unanswered,
    feature_off,
    multicast_unanswered,
    no_policy,
    policy_selects_nothing,
    silent_leader,
    unclaimed,
)
from l2probe.judge.blackhole import local_policy_blackhole
from l2probe.judge.controllers import two_controllers
from l2probe.judge.delivery import (
    lost_traffic,
    no_ready_backend,
    refused_by_application,
    reply_from_other_nic,
    wrong_answer,
)
from l2probe.judge.existing import dsr_unseen, existing_blackhole
from l2probe.judge.finding import Rule
from l2probe.judge.flapping import announcer_flaps
from l2probe.judge.hindered import acceleration_eats_arp, interface_not_matched, nobody_eligible, node_excluded
from l2probe.judge.ownership import duplicate_announcers, foreign_owner, holder_gone, holder_mismatch, several_nics
from l2probe.judge.paths import asymmetric_path, reply_not_translated
from l2probe.judge.ping import ping_is_no_test
from l2probe.judge.pools import pool_range_surprise
from l2probe.judge.segment import address_off_link
from l2probe.judge.sharing import address_moved, shared_address_split
from l2probe.judge.source import dsr_not_effective, source_is_gateway, source_lost
from l2probe.judge.stability import gratuitous_arp_ignored, no_gratuitous_arp, slow_failover
from l2probe.judge.throttling import client_throttled
from l2probe.judge.unannounced import unannounced_without_backend
from l2probe.judge.vantage import (
    announcer_unmapped,
    answerer_unmapped,
    behind_a_router,
    deaf_interface,
    no_raw_socket,
    not_allowed,
    on_a_cluster_node,
)

API_RULES: tuple[Rule, ...] = (
    on_a_cluster_node,
    not_allowed,
    foreign_class,
    address_taken,
    pool_conflict,
    address_pending,
    two_controllers,
    pool_range_surprise,
    address_moved,
    node_excluded,
    nobody_eligible,
    client_throttled,
    shared_address_split,
)
"""Rules that need no wire: they hold from any vantage."""

WIRE_RULES: tuple[Rule, ...] = (
    behind_a_router,
    no_raw_socket,
    deaf_interface,
    address_off_link,
    feature_off,
    no_policy,
    policy_selects_nothing,
    holder_gone,
    interface_not_matched,
    acceleration_eats_arp,
    unclaimed,
    silent_leader,
    unannounced_without_backend,
    address_silent,
    multicast_unanswered,
    broadcast_unanswered,
    foreign_owner,
    duplicate_announcers,
    holder_mismatch,
    several_nics,
    announcer_unmapped,
    answerer_unmapped,
    announcer_flaps,
    no_gratuitous_arp,
    gratuitous_arp_ignored,
    slow_failover,
    no_ready_backend,
    wrong_answer,
    refused_by_application,
    policy_denies_world,
    lost_traffic,
    reply_not_translated,
    asymmetric_path,
    reply_from_other_nic,
    dsr_not_effective,
    dsr_unseen,
    source_lost,
    source_is_gateway,
    local_policy_blackhole,
    existing_blackhole,
    ping_is_no_test,
)
"""Rules about frames and traffic: nothing of that is true on a host that is a cluster node."""

RANK: tuple[str, ...] = (
    *("V01", "A06", "A05", "A08", "A07", "V02", "V04", "A04", "A03", "A02", "A01"),
    *("B04", "B01", "B02", "B09", "B05", "B13", "B03", "B08", "C05", "B06", "B07", "B14", "B11", "B12", "B10"),
    *("C03", "C06", "C07", "C01", "F01", "C04", "V06", "F02", "F04", "F03"),
    *("D02", "D13", "D07", "D09", "D03", "D11", "D06", "D05", "D04", "D12", "D10", "E03"),
    *("D01", "E02", "E04", "E01", "E05", "C02", "D08", "V03", "V05", "V07"),
)
"""Every code that a rule can raise."""
