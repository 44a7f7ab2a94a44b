//! What every key means. docs/operations/configuration.md is made from this.

/// A key, and what it means. A `*` stands for a name of the user's choice.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
}

const fn key(name: &'static str, about: &'static str) -> Key {
    Key { name, about }
}

/// All keys, in the order in which people think of them.
pub(crate) const KEYS: &[Key] = &[
    key(
        "store.path",
        "Folder of captures and of the journal of what must be undone. Must outlive containers: a folder of the node. [restart]",
    ),
    key("store.max_bytes", "Most bytes of captures; the most redundant and the oldest go first."),
    key("store.max_captures", "Most captures."),
    key(
        "store.full_per_cause",
        "So many victims of one cause (service, build, rule, function that is blamed) are written whole, the others light.",
    ),
    key("store.cause_window", "After so long the same cause is news again."),
    key(
        "watch.mode",
        "What may be done to a process. observe: it is read, and its memory held after a kill; freeze: it may be stopped for the milliseconds of a copy too; brake: the growth of its cgroup may be slowed for seconds too (memory.high).",
    ),
    key(
        "watch.look",
        "The longest time between two looks at a calm process's cgroup; near danger they come by themselves closer together.",
    ),
    key("watch.sample", "How often the gauges and the profile of a calm process are sampled, without stopping it."),
    key(
        "watch.census",
        "Whether the largest collections of a calm process (maps and slices, a thousand of them) are counted then too, from their headers, without stopping it: so that one that jumps is known.",
    ),
    key(
        "include.services",
        "Patterns (* and ?) of executables' names. Without any include everything is watched; with some, only what one of them fits.",
    ),
    key("include.containers", "Patterns of container ids, whole or their first twelve digits."),
    key("include.pods", "Patterns of pod uids."),
    key("include.cgroups", "Patterns of paths of memory cgroups, as in /proc/PID/cgroup; * goes over slashes too."),
    key("exclude.services", "The same; who is excluded is not watched whatever is included."),
    key("exclude.containers", "The same."),
    key("exclude.pods", "The same."),
    key("exclude.cgroups", "The same."),
    key("pin.enabled", "Whether a dead process's memory may be held until it has been read."),
    key(
        "pin.trial",
        "Whether the pin is tried at the first start since boot: a throw-away process in a cgroup of its own is killed by the kernel, and it is measured how long it can be read.",
    ),
    key("pin.reach", "Hold it ready whenever the machine could fill what is left of the limit within this time."),
    key("pin.hold", "How long a dead process's memory is held at most."),
    key("strike.within", "Stop and copy when memory will be used up within this time."),
    key("strike.above", "Never below this share of the limit."),
    key(
        "strike.at_a_time",
        "So many processes are stopped or copied at a time; the one nearest to its end goes first.",
    ),
    key("brake.longest", "How long a memory.high of ours stands at most."),
    key("brake.pause", "And not again for so long."),
    key(
        "brake.over_others",
        "Also where somebody else has set a memory.high (Kubernetes' MemoryQoS). It is put back in either case.",
    ),
    key(
        "brake.v1_oom_kill_disable",
        "On cgroup v1, which has no memory.high: let the group wait at its limit instead of being killed, for brake.longest at most. System calls of the service may see ENOMEM meanwhile.",
    ),
    key(
        "graph.of_the_dead",
        "Whether the heap of a process that was killed for memory is read as a graph (who keeps what alive), by a process of its own, while its memory is held: after its capture is written, no longer than pin.hold, and only while nobody else is in the group that ran out of memory.",
    ),
    key(
        "graph.memory",
        "Most memory of that process. It is not the daemon's: a limit of the service's unit must have room for it.",
    ),
    key("graph.time", "Most time of it; a part of that alone is reading. What is known by then is kept."),
    key("graph.pause", "Not of another death of the same build again for so long."),
    key(
        "leaks.enabled",
        "Whether a calm process whose goroutines grow in number, steadily and for long, is stopped once for a capture with the graph of its heap; it is kept if goroutines are proved to be leaked, or suspected of it, and their number grows, and thrown away else. Not where watch.mode is observe.",
    ),
    key(
        "leaks.stop",
        "How long it stands still for that at most. What of its heap is not read by then is read while it runs on, and nothing is proved.",
    ),
    key("leaks.pause", "After a leak was found the service is not looked at for another for so long."),
    key("limits.memory", "Bytes of evidence that may wait to be written; beyond that only profiles are copied."),
    key(
        "http.listen",
        "Address of /metrics, /healthz and /status, and of POST /v1/changes: one with a port, or a socket of the file system (`unix:/run/lastgasp/http.sock`, rights 0660); \"off\" for none. To read them takes no password: keep it on loopback, at a socket, or behind something that has. [restart]",
    ),
    key("log.format", "text, json, journald; auto: journald where standard error goes there, else text. [restart]"),
    key("log.level", "error, warn, info, debug, trace. The variable LASTGASP_LOG goes over it."),
    key("node.name", "Name of this node in what is kept of lives of processes; empty: the host's own."),
    key(
        "node.data_centre",
        "Data centre of this node; or, where one node has several, PATTERN=NAME by the path of the memory cgroup, the first that fits counts.",
    ),
    key(
        "events.max_bytes",
        "Most bytes of the files of events (changes, metrics, lives of processes) beside the captures.",
    ),
    key("events.max_age", "Files of events that were written last so long ago are removed."),
    key(
        "changes.token_file",
        "File with the token that must be shown to tell of changes (POST /v1/changes); read anew at every request. Without one nobody may.",
    ),
    key(
        "changes.loopback_without_token",
        "Where there is no token: whether programs of this machine may tell of changes without one. Any of its users can, then.",
    ),
    key(
        "changes.local",
        "Whether what needs no feed is noted: starts and ends of watched processes, their builds, limits, names of their environment (hashed), mounted ConfigMaps, collections that jump.",
    ),
    key("webhook.*.url", "Where to send the verdict of captures, by HTTP POST."),
    key("webhook.*.url_file", "A file that holds the address instead, for it may be a secret."),
    key("webhook.*.shape", "generic (docs/formats/webhook.md) or slack."),
    key(
        "webhook.*.settle",
        "Wait so long after the first capture of a cause, so that one message tells of all that die together.",
    ),
    key(
        "webhook.*.pause",
        "Then not of the same cause again for so long; what came meanwhile is counted in the next message.",
    ),
    key("webhook.*.timeout", "Longest time for one attempt; there are three."),
    key(
        "feed.*.type",
        "A configuration server that is watched, read-only: etcd (version 3, over HTTP), consul, nacos or apollo.",
    ),
    key("feed.*.url", "Its address, http://HOST:PORT."),
    key(
        "feed.*.keys",
        "What is watched there. etcd and consul: prefixes of keys; nacos: GROUP/DATA-ID; apollo: APP-ID/CLUSTER/NAMESPACE.",
    ),
    key("feed.*.namespace", "Nacos' namespace (tenant), where it is not the public one."),
    key(
        "feed.*.token_file",
        "File with what it wants to be shown. etcd: USER:PASSWORD; consul: a token; nacos: an access token. Empty: nothing.",
    ),
    key("feed.*.services", "Services that its keys reach; empty: that is not known."),
    key("feed.*.kind", "Kind of its changes: config, or admin where people publish data there."),
    key(
        "feed.*.round",
        "Longest time that it may say nothing: a watch is asked for anew after it, without losing anything.",
    ),
    key(
        "metrics.*.type",
        "Where metrics are taken from. prometheus: its HTTP API; scrape: a page in its text format, read directly.",
    ),
    key("metrics.*.url", "Address of Prometheus (http://HOST:9090), or of the page (http://HOST:PORT/metrics)."),
    key("metrics.*.preset", "Names of metrics that are known: haproxy, nginx, envoy, or none."),
    key(
        "metrics.*.select",
        "Labels that choose the service's series, as in PromQL: proxy=\"rs\",instance=\"lb:8404\". Of the preset's names.",
    ),
    key("metrics.*.service", "Service that these metrics are about, by the name of its executable; empty: not said."),
    key("metrics.*.caller", "Who asks it, where one source counts one caller."),
    key("metrics.*.dependency", "Whether they are about a service that the watched ones call."),
    key("metrics.*.every", "How often they are taken."),
    key("metrics.*.timeout", "Longest time for an answer."),
    key("metrics.*.token_file", "File with a bearer token, where one is wanted."),
    key(
        "metrics.*.roles.attempts",
        "What counts all requests, retries among them. prometheus: PromQL that gives a rate a second; scrape: the name of a counter, with labels where wanted. Empty: by the preset, or unknown.",
    ),
    key("metrics.*.roles.first_attempts", "First attempts alone."),
    key("metrics.*.roles.retries", "Attempts after a failed one."),
    key("metrics.*.roles.errors", "Failed requests."),
    key("metrics.*.roles.timeouts", "Requests that were given up for time."),
    key("metrics.*.roles.in_flight", "Requests that are being served: a gauge."),
    key("metrics.*.roles.latency", "Seconds that a request takes: a gauge."),
    key("metrics.*.roles.healthy", "Instances that are held for healthy: a gauge."),
];

/// What `key` means; a webhook's name is of the user's choice.
pub(crate) fn about(key: &str) -> Option<&'static str> {
    let parts: Vec<&str> = key.split('.').collect();
    let fits = |name: &str| {
        let pattern: Vec<&str> = name.split('.').collect();
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(|(p, k)| *p == "*" || p == k)
    };
    KEYS.iter().find(|k| fits(k.name)).map(|k| k.about)
}
