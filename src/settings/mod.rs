//! Settings: what the command line, the policy and the inventory resolved to, the only configuration that stages see.

mod country;
pub mod inventory;
pub mod limits;
pub mod pair_weights;
pub mod policy;
pub mod rules;
pub mod watched_vpn;
