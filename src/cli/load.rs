//! Loads what an analysis knows: catalogue, model, policy, inventory, databases of places.

use std::sync::Arc;

use anyhow::Context as _;

use super::Usage;
use super::arguments::Common;
use crate::explain::weights::Weights;
use crate::geo::Geo;
use crate::settings::inventory::Inventory;
use crate::settings::limits::Limits;
use crate::settings::policy::Policy;
use crate::signatures::Catalogue;
use crate::signatures::renewal::Renewal;

/// Everything that is read before the first packet.
pub struct Loaded {
    /// The catalogue with the user's entries.
    pub catalogue: Catalogue,
    /// Where a newer one may be offered while the analysis runs.
    pub renewal: Option<Arc<Renewal>>,
    /// The model.
    pub weights: Weights,
    /// The policy; an empty one allows nothing and forbids nothing.
    pub policy: Policy,
    /// The inventory, where one was given.
    pub inventory: Option<Inventory>,
    /// The databases of places.
    pub geo: Geo,
    /// Bounds.
    pub limits: Limits,
    /// What the reader should know: refused databases, bad rows, unknown columns.
    pub remarks: Vec<String>,
}

/// Loads everything that the options name.
pub fn load(common: &Common) -> anyhow::Result<Loaded> {
    let mut remarks = Vec::new();
    let catalogue =
        Catalogue::with_overlays(&common.signatures).map_err(|faults| Usage(faults.to_string()))?;
    let tools: Vec<&str> = catalogue.ids().collect();
    let policy = match &common.policy {
        Some(path) => Policy::read(path, &tools).map_err(|faults| Usage(faults.to_string()))?,
        None => Policy::default(),
    };
    let inventory = match &common.assets {
        Some(path) => {
            let inventory =
                Inventory::read(path, &tools, common.strict).map_err(|faults| Usage(faults.to_string()))?;
            remarks.extend(
                inventory
                    .faults()
                    .iter()
                    .map(|fault| format!("row left out: {fault}")),
            );
            remarks.extend(inventory.unknown_columns().map(|column| {
                format!(
                    "{}: column {column:?} is not understood and was kept",
                    path.display()
                )
            }));
            Some(inventory)
        }
        None => None,
    };
    let (geo, refused) = Geo::open(&common.geoip);
    remarks.extend(refused.iter().map(|error| format!("database refused: {error}")));
    let weights = Weights::embedded().context("the built-in weights")?;
    let mut limits = Limits::default();
    if let Some(most) = common.max_flows {
        limits.flows = most.get();
    }
    Ok(Loaded {
        catalogue,
        renewal: None,
        weights,
        policy,
        inventory,
        geo,
        limits,
        remarks,
    })
}
