//! Reading `weights.toml`: what does not fit together is refused with the table and row where it stands.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::evidence::Family;
use crate::settings::pair_weights::PairWeights;

use super::files;
use super::{
    Bands, CueTable, Hold, Incident, Level, Need, Rules, TwoKey, Weights, WeightsError, WhatIf, Words,
};
use crate::explain::cues;
use crate::explain::damage::DamageRule;
use crate::explain::hypothesis::{ByHypothesis, Hypothesis};
use crate::explain::little::LittleRule;

/// The tables that are part of the program.
const EMBEDDED: &str = include_str!("../weights.toml");

/// How far a column of a table may be from its total: the source's tables are rounded by hand.
const TOLERANCE: f64 = 0.002;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPriors {
    home: Vec<f64>,
    employer: Vec<f64>,
    incident: Incident,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTwoKey {
    families: usize,
    decibans: f64,
    keys: Vec<String>,
    context: Vec<String>,
    pair_families: usize,
    leave_one_out: f64,
    one_kind: Vec<Vec<String>>,
    holds: Vec<Hold>,
    needs: Vec<Need>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCue {
    family: String,
    title: String,
    question: String,
    total: f64,
    levels: BTreeMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWeights {
    version: String,
    columns: Vec<String>,
    lambda: f64,
    smoothing: f64,
    priors: RawPriors,
    bands: Bands,
    two_key: RawTwoKey,
    rules: Rules,
    damage: DamageRule,
    little: LittleRule,
    hypotheses: BTreeMap<String, Words>,
    cues: BTreeMap<String, RawCue>,
    what_if: Vec<WhatIf>,
    pairs: PairWeights,
}

impl Weights {
    /// The tables that are part of the program.
    pub fn embedded() -> Result<Self, WeightsError> {
        Self::parse(EMBEDDED)
    }

    /// Reads and checks a file.
    pub fn parse(text: &str) -> Result<Self, WeightsError> {
        let raw: RawWeights = toml::from_str(text)?;
        let expected: Vec<&str> = Hypothesis::ALL.iter().map(|one| one.name()).collect();
        if raw.columns != expected {
            return Err(WeightsError::Columns {
                expected: expected.join(" "),
                found: raw.columns.join(" "),
            });
        }
        let mut words = Vec::new();
        for hypothesis in Hypothesis::ALL {
            let table = format!("hypotheses.{}", hypothesis.name());
            words.push(
                raw.hypotheses
                    .get(hypothesis.name())
                    .cloned()
                    .ok_or(WeightsError::Missing { table })?,
            );
        }
        let mut cues = Vec::new();
        for (id, cue) in raw.cues {
            cues.push(cue_table(id, cue, raw.smoothing)?);
        }
        let families = |words: &[String]| -> Result<Vec<Family>, WeightsError> {
            words.iter().map(|word| family("two_key", word)).collect()
        };
        let weights = Self {
            version: raw.version,
            hash: files::hash(text),
            lambda: raw.lambda,
            smoothing: raw.smoothing,
            home: prior("home", &raw.priors.home)?,
            employer: prior("employer", &raw.priors.employer)?,
            incident: raw.priors.incident,
            bands: raw.bands,
            two_key: TwoKey {
                families: raw.two_key.families,
                decibans: raw.two_key.decibans,
                keys: families(&raw.two_key.keys)?,
                context: families(&raw.two_key.context)?,
                pair_families: raw.two_key.pair_families,
                leave_one_out: raw.two_key.leave_one_out,
                one_kind: (raw.two_key.one_kind.iter())
                    .map(|kind| families(kind))
                    .collect::<Result<_, _>>()?,
                holds: raw.two_key.holds,
                needs: raw.two_key.needs,
            },
            rules: raw.rules,
            damage: raw.damage,
            little: raw.little,
            words,
            cues,
            what_if: raw.what_if,
            pairs: raw.pairs,
        };
        weights.check_references()?;
        Ok(weights)
    }

    /// Everything that names a cue or a level names one that there is.
    fn check_references(&self) -> Result<(), WeightsError> {
        for cue in cues::REGISTRY {
            let table = format!("cues.{}", cue.id);
            let Some(found) = self.cue(cue.id) else {
                return Err(WeightsError::Missing { table });
            };
            for level in cue.levels {
                if found.level(level).is_none() {
                    return Err(WeightsError::Missing {
                        table: format!("{table}.levels.{level}"),
                    });
                }
            }
        }
        if let Some((table, cause)) = self.rules.fault() {
            return Err(WeightsError::Rule { table, cause });
        }
        for hidden in &self.damage.hides {
            if self.cue(hidden).is_none() {
                return Err(WeightsError::Unknown {
                    table: "damage.hides".to_owned(),
                    what: "cue",
                    word: hidden.clone(),
                });
            }
        }
        let changed = self.what_if.iter().enumerate().flat_map(|(place, change)| {
            let set = change
                .set
                .iter()
                .map(|(cue, level)| (cue.as_str(), level.as_str()));
            set.map(move |(cue, level)| (format!("what_if[{place}]"), cue, level))
        });
        let held = self.two_key.holds.iter().flat_map(|hold| {
            let levels = hold.levels.iter().map(String::as_str);
            levels.map(|level| ("two_key.holds".to_owned(), hold.cue.as_str(), level))
        });
        let needed = self.two_key.needs.iter().flat_map(|need| {
            need.any.iter().flat_map(|(cue, levels)| {
                let levels = levels.iter().map(String::as_str);
                levels.map(|level| ("two_key.needs".to_owned(), cue.as_str(), level))
            })
        });
        for (table, cue, level) in changed.chain(held).chain(needed) {
            let unknown = |what, word: &str| WeightsError::Unknown {
                table: table.clone(),
                what,
                word: word.to_owned(),
            };
            let found = self.cue(cue).ok_or_else(|| unknown("cue", cue))?;
            found.level(level).ok_or_else(|| unknown("level", level))?;
        }
        Ok(())
    }
}

/// A row of eight numbers between 0 and 1.
fn row(table: &str, name: &str, cells: &[f64]) -> Result<ByHypothesis, WeightsError> {
    let refuse = |cause: String| WeightsError::Row {
        table: table.to_owned(),
        row: name.to_owned(),
        cause,
    };
    let found: ByHypothesis = cells
        .try_into()
        .map_err(|_| refuse(format!("{} cells instead of 8", cells.len())))?;
    match found.iter().find(|cell| !(0.0..=1.0).contains(*cell)) {
        Some(cell) => Err(refuse(format!("{cell} is no probability"))),
        None => Ok(found),
    }
}

/// A prior: a row that sums to one (the source's row for a house sums to .996; it is scaled).
fn prior(name: &str, cells: &[f64]) -> Result<ByHypothesis, WeightsError> {
    let found = row("priors", name, cells)?;
    let sum: f64 = found.iter().sum();
    if (sum - 1.0).abs() > 0.01 {
        return Err(WeightsError::Row {
            table: "priors".to_owned(),
            row: name.to_owned(),
            cause: format!("sums to {sum:.4}"),
        });
    }
    Ok(found.map(|one| one / sum))
}

/// A cue's table with smoothed cells.
fn cue_table(id: String, raw: RawCue, smoothing: f64) -> Result<CueTable, WeightsError> {
    let table = format!("cues.{id}");
    let mut levels = Vec::new();
    for (name, cells) in raw.levels {
        let row = row(&table, &name, &cells)?;
        levels.push(Level {
            name,
            row,
            is_either: false,
        });
    }
    for hypothesis in Hypothesis::ALL {
        let sum: f64 = levels.iter().map(|level| hypothesis.of(&level.row)).sum();
        if (sum - raw.total).abs() > TOLERANCE {
            return Err(WeightsError::Sum {
                table,
                column: hypothesis.name(),
                sum,
                total: raw.total,
            });
        }
    }
    for level in &mut levels {
        level.row = level.row.map(|cell| cell.max(smoothing));
    }
    let either = (cues::REGISTRY.iter())
        .filter(|cue| cue.id == id)
        .flat_map(|cue| cue.levels)
        .filter_map(|name| either(&levels, name));
    let either: Vec<Level> = either.collect();
    levels.extend(either);
    Ok(CueTable {
        family: family(&table, &raw.family)?,
        id,
        title: raw.title,
        question: raw.question,
        levels,
    })
}

/// A level that leaves open which of two it is: as probable as both together, since they exclude each other.
fn either(levels: &[Level], name: &str) -> Option<Level> {
    let (one, other) = name.split_once(cues::EITHER)?;
    let find = |wanted: &str| levels.iter().find(|level| level.name == wanted);
    let (one, other) = (find(one)?, find(other)?);
    let mut row = one.row;
    for (cell, more) in row.iter_mut().zip(other.row) {
        *cell += more;
    }
    Some(Level {
        name: name.to_owned(),
        row,
        is_either: true,
    })
}

/// A family by its word.
fn family(table: &str, word: &str) -> Result<Family, WeightsError> {
    Ok(match word {
        "rc" => Family::Rc,
        "org" => Family::Org,
        "tool" => Family::Tool,
        "loc" => Family::Loc,
        "time" => Family::Time,
        "lat" => Family::Lat,
        "ctx" => Family::Ctx,
        _ => {
            return Err(WeightsError::Unknown {
                table: table.to_owned(),
                what: "family",
                word: word.to_owned(),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vantage::Vantage;

    fn refused(from: &str, to: &str) -> String {
        assert!(EMBEDDED.contains(from), "{from} is no longer in the file");
        Weights::parse(&EMBEDDED.replacen(from, to, 1))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_embedded_tables_are_sound_and_known_by_their_hash() {
        let weights = Weights::embedded().unwrap();
        assert_eq!(weights.hash.len(), 64);
        assert_eq!(weights.cues.len(), cues::REGISTRY.len());
    }

    #[test]
    fn an_error_names_table_row_and_column() {
        assert_eq!(
            refused("\"2+\" = [0.35, ", "\"2+\" = ["),
            "weights: cues.kvm: row \"2+\": 7 cells instead of 8"
        );
        assert_eq!(
            refused("\"2+\" = [0.35,", "\"2+\" = [0.45,"),
            "weights: cues.kvm: column farm sums to 1.1000 instead of 1"
        );
        assert_eq!(
            refused("\"2+\" = [0.35,", "\"2+\" = [-0.35,"),
            "weights: cues.kvm: row \"2+\": -0.35 is no probability"
        );
        assert_eq!(
            refused("kvm = \"0\"", "kvm = \"none\""),
            "weights: what_if[7]: unknown level \"none\""
        );
        assert!(
            refused("\"farm\", \"solo\"", "\"solo\", \"farm\"")
                .starts_with("weights: columns: expected farm")
        );
        assert!(
            refused(
                "[what_if]]\nchange = \"no IP KVM",
                "[what_iff]]\nchange = \"no IP KVM"
            )
            .contains("unknown field")
        );
        assert_eq!(
            refused("\"relay-only\"", "\"relayed\""),
            "weights: cues.ctrl_geo.levels.relay-only is missing"
        );
    }

    #[test]
    fn thresholds_that_contradict_each_other_are_refused() {
        for (from, to, cause) in [
            (
                "cover = [0.1, 0.5,",
                "cover = [0.5, 0.1,",
                "rules.cover does not ascend",
            ),
            ("0.5, 0.8]", "0.5, 1.8]", "rules.cover 1.8 is no share"),
            ("n_rc = [1, 2,", "n_rc = [2, 2,", "rules.n_rc does not ascend"),
            (
                "absent_minutes = 15",
                "absent_minutes = 60",
                "rules.activity: absent_minutes and present_minutes does not ascend",
            ),
            (
                "medium = 25",
                "medium = 45",
                "rules.findings: medium and high does not ascend",
            ),
            (
                "lasting = 0.8",
                "lasting = 8",
                "rules.findings.place.lasting 8 is no share",
            ),
        ] {
            assert_eq!(refused(from, to), format!("weights: {cause}"));
        }
        assert!(
            refused("[rules.findings.tunnel]\n", "[rules.findings.tunnel]\nicmp = 1\n")
                .contains("unknown field")
        );
    }

    #[test]
    fn incident_priors_keep_the_proportions_of_the_rest() {
        let weights = Weights::embedded().unwrap();
        let plain = weights.prior(Vantage::Home, false);
        let incident = weights.prior(Vantage::Home, true);
        assert!((incident.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((incident[0] - 0.25).abs() < 1e-12);
        assert!((incident[2] / incident[3] - plain[2] / plain[3]).abs() < 1e-9);
    }
}
