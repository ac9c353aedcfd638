//! The types that cross from one stage to the next: plain data, no behaviour beyond construction, order and display.
//!
//! Nothing here knows a protocol, a file or a command; every stage may import from here and this folder imports
//! from no other.

pub mod address;
pub mod authority;
pub mod block;
pub mod case;
pub mod common_employer;
pub mod digits;
pub mod egress;
pub mod embedded;
pub mod evidence;
pub mod fact;
pub mod farm;
pub mod few;
pub mod finding;
pub mod flow;
pub mod frame;
pub mod group;
pub mod host;
pub mod hours;
pub mod identity;
pub mod latency;
pub mod lengths;
pub mod local_networks;
pub mod loss;
pub mod minutes;
pub mod observable;
pub mod observation;
pub mod organisation;
pub mod pieces;
pub mod profile;
pub mod quantity;
pub mod residence;
pub mod reverse_name;
pub mod router;
pub mod segment;
pub mod sketch;
pub mod sphere;
pub mod ssh_channels;
pub mod summary;
pub mod tally;
pub mod tenancy;
pub mod threads;
pub mod thresholds;
pub mod time;
pub mod tunnel_end;
pub mod unseen;
pub mod vantage;
pub mod watched;
pub mod week;
