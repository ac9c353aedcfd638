//! Detection: from placed flows and host facts to findings.
//!
//! Takes observations in time order and, at the end, the resolved hosts; gives findings with their evidence. Sees no packets,
//! prints nothing, and never looks at another host's findings.
//!
//! Every flow is first recognised against the catalogue ([`recognise`]), once; what detectors get is the flow with the
//! tools that it may belong to. A detector is one file and one line in [`registry`].

pub mod activity_state;
pub mod device;
pub mod geo_mismatch;
pub mod recognise;
pub mod registry;
pub mod sessions;
pub mod tenants;

use std::collections::BTreeMap;

use crate::geo::Geo;
use crate::model::fact::Fact;
use crate::model::finding::Finding;
use crate::model::identity::ContentId;
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::observe_view::HostView;
use crate::settings::inventory::{Asset, Inventory};
use crate::settings::policy::Policy;
use crate::signatures::Catalogue;

use recognise::Recognised;
