//! Loads what an analysis knows: catalogue, model, policy, inventory, databases of places.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use super::Usage;
use super::arguments::Common;
use crate::explain::weights::Weights;
use crate::geo::{Geo, GeoError};
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
    /// What was named and is not used: refused databases, bad rows.
    pub lost: Vec<String>,
    /// What else the reader should know: unknown columns.
    pub remarks: Vec<String>,
}

/// Loads everything that the options name.
pub fn load(common: &Common) -> anyhow::Result<Loaded> {
    let (mut lost, mut remarks) = (Vec::new(), Vec::new());
    let (geo, refused) = places(&common.geoip)?;
    let catalogue = Catalogue::with_overlays_and(&common.signatures, &geo.tor_lists())
        .map_err(|faults| Usage(faults.to_string()))?;
    let tools: Vec<&str> = catalogue.ids().collect();
    let policy = match &common.policy {
        Some(path) => Policy::read(path, &tools).map_err(|faults| Usage(faults.to_string()))?,
        None => Policy::default(),
    };
    let inventory = match &common.assets {
        Some(path) => {
            let inventory =
                Inventory::read(path, &tools, common.strict).map_err(|faults| Usage(faults.to_string()))?;
            lost.extend(
                inventory
                    .faults()
                    .iter()
                    .map(|fault| format!("row left out: {fault}")),
            );
            lost.extend(
                inventory
                    .cell_faults()
                    .iter()
                    .map(|fault| format!("cell left out, its row stays: {fault}")),
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
    // No organisation has more than a few networks of this size (IANA's registries of IPv4 /8 and IPv6 /16 allocations).
    let is_of_all =
        |network: &&ipnet::IpNet| network.prefix_len() < if network.addr().is_ipv4() { 8 } else { 16 };
    remarks.extend(common.local.iter().filter(is_of_all).map(|network| {
        format!("-n {network} counts addresses all over the Internet as ours: who controls a machine from there is taken for a machine of ours")
    }));
    lost.extend(refused.iter().map(|error| format!("database refused: {error}")));
    let weights = Weights::embedded().context("the built-in weights")?;
    let mut limits = Limits::default();
    if let Some(most) = common.max_flows {
        limits.flows = most.get();
    }
    limits.reads_closely = policy.heuristics.nested_tls || policy.heuristics.openvpn_inside;
    limits.counts_lengths = catalogue.field("payload.lengths").is_some();
    Ok(Loaded {
        catalogue,
        renewal: None,
        weights,
        policy,
        inventory,
        geo,
        limits,
        lost,
        remarks,
    })
}

/// Opens databases of places. One that does not exist is a mistake on the command line, and so is it if none of those named can be
/// used: the analysis would silently rest on the built-in one. One among others that cannot be used is named.
pub fn places(paths: &[PathBuf]) -> anyhow::Result<(Geo, Vec<GeoError>)> {
    // A variable of the environment that is set to nothing is not set.
    let paths: Vec<PathBuf> = (paths.iter())
        .filter(|path| !path.as_os_str().is_empty())
        .cloned()
        .collect();
    for path in &paths {
        if path.try_exists().is_ok_and(|exists| !exists) {
            return Err(Usage(format!("{}: no such file or folder", path.display())).into());
        }
    }
    let (geo, refused) = Geo::open(&paths);
    if geo.has_default_only() && !refused.is_empty() {
        let causes: Vec<String> = refused.iter().map(ToString::to_string).collect();
        return Err(Usage(format!(
            "no database of places could be used: {}",
            causes.join("; ")
        ))
        .into());
    }
    Ok((geo, refused))
}
