//! Large Go programs that we did not write, under load, as the judges of lastgasp: their own pprof output
//! says what is true.
//!
//! What is built: the five programs of [`PROGRAMS`], each at a pinned version with a pinned Go minor, twice:
//! as `go build` leaves it, and stripped (`-trimpath -ldflags='-s -w'`). Why these: they are what people run;
//! between them they have 200 MB of executable with the SDKs of every cloud (prometheus), over a thousand
//! allocation sites, generics, assembly, recursion deeper than a profile's stacks (caddy), and many ways for
//! a goroutine to wait. All come from the Go module proxy, so that nothing but a Go toolchain is needed.
//!
//! How they are built: `go install package@version` refuses modules that hold `replace`, so each is required
//! by an empty module of ours in the cache folder ([`fetch`]); the binary's build information is the same as
//! `go install` would give. Assets that need node are left out by the programs' own build tags (they are off
//! by default).
//!
//! - [`program`]: what is known of one. [`fetch`]: from the table to binaries. [`play`]: one program running,
//!   with load on it; `plans`: how, for each; `web`: HTTP, as its clients speak it. [`nats`]: the text
//!   protocol of nats.
//! - [`deaths`]: the same programs, made to die of memory, and what the reports say of that.
//! - [`heap`], [`stacks`], [`numbers`]: what the program says of itself, read and compared.
//! - [`graph`]: the heap as a graph, held against what the collector marks.
//! - [`leaks`]: goroutines of all of them under load for minutes, of which none is leaked.

pub mod deaths;
pub mod fetch;
pub mod graph;
pub mod heap;
pub mod leaks;
pub mod nats;
pub mod numbers;
mod plans;
pub mod play;
pub mod program;
pub mod stacks;
mod web;

use program::Program;

/// What is built. The minors are spread on purpose; each is new enough for what the module demands.
pub const PROGRAMS: &[Program] = &[
    Program {
        name: "prometheus",
        package: "github.com/prometheus/prometheus/cmd/prometheus",
        // Newer ones require a module that the proxy has withdrawn (github.com/hashicorp/nomad/api).
        version: "v0.309.1",
        go: 26,
    },
    Program { name: "etcd", package: "go.etcd.io/etcd/server/v3", version: "v3.6.6", go: 24 },
    Program { name: "caddy", package: "github.com/caddyserver/caddy/v2/cmd/caddy", version: "v2.11.9", go: 26 },
    Program { name: "nats-server", package: "github.com/nats-io/nats-server/v2", version: "v2.15.2", go: 27 },
    Program {
        name: "victoria-metrics",
        package: "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics",
        version: "v1.130.0",
        go: 25,
    },
];
