//! One analysis as the command line would run it: from a capture, an inventory and a policy to a case. Truth never comes here.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use anyhow::Context as _;
use farmhawk::capture::{self, Reading, inputs};
use farmhawk::detect::Knowledge;
use farmhawk::explain::weights::Weights;
use farmhawk::geo::Geo;
use farmhawk::lab;
use farmhawk::model::case::Case;
use farmhawk::model::flow::FlowRecord;
use farmhawk::model::loss::Losses;
use farmhawk::model::threads::Threads;
use farmhawk::model::time::{SECOND, Timestamp};
use farmhawk::pipeline::analysis::Analysis;
use farmhawk::pipeline::conclude::{self, Ending, Grounds};
use farmhawk::pipeline::front::Reader;
use farmhawk::pipeline::rows::Rows;
use farmhawk::pipeline::{self, received};
use farmhawk::settings::inventory::Inventory;
use farmhawk::settings::limits::Limits;
use farmhawk::settings::policy::Heuristics;
use farmhawk::settings::policy::Policy;
use farmhawk::signatures::Catalogue;

/// What an analysis says, and what it rests on.
pub(crate) struct Analysed {
    /// The case.
    pub(crate) case: Case,
    /// Profiles and groups.
    pub(crate) grounds: Grounds,
    /// The longest conversation with the outside.
    pub(crate) longest_seconds: i64,
}

/// What stays the same for all analyses.
pub(crate) struct Analyst {
    catalogue: Catalogue,
    geo: Geo,
    weights: Weights,
    limits: Limits,
}

impl Analyst {
    /// With the embedded catalogue, model and databases, and those that belong to scenarios.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        for scenario in lab::scenarios() {
            if let Some(places) = lab::database(scenario)? {
                fs::write(folder.path().join(format!("{}.mmdb", scenario.name)), places)?;
            }
        }
        let (geo, faults) = Geo::open(&[folder.path().to_owned()]);
        anyhow::ensure!(faults.is_empty(), "{faults:?}");
        Ok(Self {
            catalogue: Catalogue::embedded().map_err(|faults| anyhow::anyhow!("{faults}"))?,
            geo,
            weights: Weights::embedded()?,
            limits: Limits::default(),
        })
    }

    /// Analyses captures; an empty inventory or policy is none.
    pub(crate) fn analyse(
        &self,
        captures: &[PathBuf],
        inventory: &str,
        policy: &str,
    ) -> anyhow::Result<Analysed> {
        self.analyse_between(captures, inventory, policy, [None, None])
    }

    /// The same as if captures had begun at the first of these moments and ended at the second.
    pub(crate) fn analyse_between(
        &self,
        captures: &[PathBuf],
        inventory: &str,
        policy: &str,
        [since, until]: [Option<Timestamp>; 2],
    ) -> anyhow::Result<Analysed> {
        let tools: Vec<&str> = self.catalogue.ids().collect();
        let policy = Policy::parse(Path::new("policy.toml"), policy, &tools)
            .map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let inventory = (inventory.lines().count() > 1)
            .then(|| Inventory::parse(Path::new("inventory.csv"), inventory.as_bytes(), &tools, true))
            .transpose()
            .map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let list = inputs::expand(captures)?;
        let reading = Reading {
            limits: self.limits.clone(),
            since,
            until,
            ..Reading::default()
        };
        let source = capture::open(&list.captures, &reading)?;
        let reader = Reader::new(source, &self.limits, 1, None, Arc::new(AtomicBool::new(false)));
        let longest = Arc::new(AtomicI64::new(0));
        let seen = Arc::clone(&longest);
        let sink = Box::new(move |row: &farmhawk::report::flow::FlowRow<'_>| {
            seen.fetch_max(outward(row.flow), Ordering::Relaxed);
            Ok(())
        });
        let analysis = Analysis::new(&self.limits, &[], &self.catalogue, Heuristics::default(), true);
        let rows = Rows::new(&self.geo, sink);
        let (reader, _, analysis, _) = pipeline::run(1, reader, &self.limits, analysis, rows)
            .context("a stage of the pipeline was lost")?;
        let learnt = analysis.finish(reader.tunnel_ends());
        let counters = reader.source().captures();
        let spans = counters
            .iter()
            .flat_map(|counted| counted.watching.within(None, until))
            .collect();
        let ending = Ending {
            threads: Threads::default(),
            knowledge: Knowledge {
                at: None,
                reverse_names: None,
                catalogue: &self.catalogue,
                geo: &self.geo,
                policy: &policy,
                rules: &self.weights.rules,
            },
            inventory: inventory.as_ref(),
            weights: &self.weights,
            vantage: None,
            is_incident: false,
            received: received::from_captures(&reader),
            spans,
            grain: reader.clocks.grain(),
            lists_all_hosts: true,
            shows_cells: false,
        };
        let mut losses = Losses::default();
        let (case, grounds) =
            conclude::conclude_with_grounds(learnt.observers, learnt.detectors, &ending, &mut losses);
        Ok(Analysed {
            case,
            grounds,
            longest_seconds: longest.load(Ordering::Relaxed) / SECOND,
        })
    }

    /// The model.
    pub(crate) const fn weights(&self) -> &Weights {
        &self.weights
    }
}

/// Time between first and last packet of a flow that leaves the network; 0 of others.
fn outward(flow: &FlowRecord) -> i64 {
    let is_inside = |address: farmhawk::model::address::Address| match address.to_ip() {
        std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_multicast() || ip.is_broadcast(),
        std::net::IpAddr::V6(_) => true,
    };
    if is_inside(flow.client.address) && is_inside(flow.server.address) {
        0
    } else {
        flow.duration()
    }
}
