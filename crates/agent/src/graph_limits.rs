//! What a heap graph may use.

use std::sync::{Arc, Mutex, PoisonError};

use lastgasp_worker::Limits;

use crate::config::Config;

/// What a graph may use, by the configuration of now; shared.
#[derive(Clone, Debug)]
pub(crate) struct GraphLimits(Arc<Mutex<Limits>>);

impl GraphLimits {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(limits)))
    }

    pub(crate) fn set(&self, limits: Limits) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    pub(crate) fn now(&self) -> Limits {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a heap graph may use by a configuration.
pub(crate) fn graph_limits_of(config: &Config) -> Limits {
    Limits::of_a_graph(config.graph.memory.0, config.graph.time.0)
}
