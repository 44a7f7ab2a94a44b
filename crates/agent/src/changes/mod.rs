//! Changes of the world, as they come in: told by others over HTTP ([`inbox`], [`mapping`]), watched for in
//! configuration servers, and seen on this node. Of what was changed only the shape is kept ([`payload`]);
//! what is kept, and which feeds spoke when, goes through [`events`].

pub(crate) mod events;
pub(crate) mod inbox;
pub(crate) mod local;
pub(crate) mod mapping;
pub(crate) mod payload;
pub(crate) mod watchers;
