//! Changes of the world, as they come in: told by others over HTTP ([`mapping`]), watched for in configuration
//! servers, and seen on this node. Of what was changed only the shape is kept ([`payload`]).

pub(crate) mod mapping;
pub(crate) mod payload;
