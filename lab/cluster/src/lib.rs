//! The world of an incident, for real, on one machine: instances in memory cgroups with a supervisor, a
//! balancer, callers, an admin platform that writes into etcd, Prometheus, and `lastgasp watch`; scenarios as
//! data, each with its truth; and who holds verdicts against it.

pub mod judge;
pub mod play;
pub mod record;
pub mod scenario;
pub mod series;
pub mod world;
