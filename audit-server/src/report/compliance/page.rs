//! The report for people.

use super::{ChainVerdict, Compliance, ControlState, Days, Lack, Lost, RegulationState, State};
use crate::report::{Block, Cell, Document, Section, Table, Tone};

const HOW_TO_READ: &str = "A control is met as far as records can show it: there are records of its \
    kind, and all that is asked of them holds. What people, contracts and other systems do is to be \
    shown by other means. A control without records is never met.";

impl State {
    fn cell(self) -> Cell {
        match self {
            Self::Met => Cell::toned("met", Tone::Good),
            Self::Gap => Cell::toned("gap", Tone::Bad),
            Self::NoData => Cell::toned("no data", Tone::Unknown),
        }
    }
}

impl Compliance {
    /// The report as a page: a summary, then a section a regulation, then what all of them rest on.
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new("Compliance");
        document.sections.push(self.header.section());
        document.sections.push(self.summary());
        document.sections.extend(self.regulations.iter().map(RegulationState::section));
        document
            .section("Members that records lack", [self.lacking_block()])
            .section("Days", [self.days.block()])
            .section("Lost events", [self.lost.block()])
            .section(
                "Chain and clock",
                [Some(self.chain_block()), self.faults_block()].into_iter().flatten(),
            )
    }

    fn summary(&self) -> Section {
        let mut table =
            Table::new(["regulation", "section", "title", "#records", "state", "reason"]);
        for state in &self.regulations {
            for control in &state.controls {
                table.push([
                    state.regulation.as_str().into(),
                    control.id.as_str().into(),
                    control.title.as_str().into(),
                    control.records.into(),
                    control.state.cell(),
                    control.reason.as_str().into(),
                ]);
            }
        }
        let blocks = vec![Block::Text(HOW_TO_READ.to_owned()), Block::Table(table)];
        Section { heading: "Summary".to_owned(), blocks }
    }

    fn lacking_block(&self) -> Block {
        if self.lacking.is_empty() {
            let text =
                "No record that a control takes for evidence lacks a member that it requires.";
            return Block::Text(text.to_owned());
        }
        let mut table =
            Table::new(["regulation", "section", "member", "#lacking", "#of", "filter"]);
        for lack in &self.lacking {
            let Lack { regulation, control, member, lacking, records, filter, .. } = lack;
            table.push([
                regulation.as_str().into(),
                control.into(),
                member.into(),
                Cell::toned(lacking, Tone::Bad),
                records.into(),
                filter.into(),
            ]);
        }
        Block::Table(table)
    }

    fn chain_block(&self) -> Block {
        let ChainVerdict { intact, faults, gaps, checked, sentence, .. } = &self.chain;
        let intact = match intact {
            Some(true) => Cell::toned("intact", Tone::Good),
            Some(false) => Cell::toned("not intact", Tone::Bad),
            None => Cell::toned("not known", Tone::Unknown),
        };
        let mut pairs = vec![
            ("chain".to_owned(), intact),
            ("faults".to_owned(), bad_if(*faults)),
            ("gaps".to_owned(), bad_if(*gaps)),
            ("records checked".to_owned(), checked.into()),
            ("records of the future".to_owned(), bad_if(self.future_records)),
        ];
        if !sentence.is_empty() {
            pairs.push(("verdict".to_owned(), sentence.into()));
        }
        Block::Pairs(pairs)
    }

    /// What is wrong with the chain, one by one, when anything is.
    fn faults_block(&self) -> Option<Block> {
        let verdict = self.chain.verdict.as_ref()?;
        let mut table = Table::new(["what", "stream", "#first", "#last", "time"]);
        for fault in &verdict.faults {
            let seq = fault.seq.map_or_else(String::new, |seq| seq.to_string());
            table.push([
                Cell::toned(fault.kind.name(), Tone::Bad),
                fault.stream.as_deref().unwrap_or_default().into(),
                seq.clone().into(),
                seq.into(),
                fault.timestamp.as_str().into(),
            ]);
        }
        for gap in &verdict.gaps {
            table.push([
                Cell::toned("missing", Tone::Bad),
                gap.stream.as_str().into(),
                gap.first_seq.into(),
                gap.last_seq.into(),
                gap.from.as_str().into(),
            ]);
        }
        let (shown, all) = (table.rows.len() as u64, verdict.fault_count + verdict.gap_count);
        if shown < all {
            table.note = format!("{shown} of {all}");
        }
        (shown > 0).then_some(Block::Table(table))
    }
}

impl RegulationState {
    fn section(&self) -> Section {
        let name = self.regulation.as_str();
        let Self { met, gaps, no_data, .. } = self;
        let mut blocks = vec![Block::Text(format!(
            "{name}: {met} met, {gaps} with a gap, {no_data} without data."
        ))];
        for control in &self.controls {
            blocks.push(Block::Text(format!("{} {}", control.id, control.title)));
            blocks.push(control.block());
        }
        Section { heading: self.title.clone(), blocks }
    }
}

impl ControlState {
    fn block(&self) -> Block {
        let pair = |name: &str, cell| (name.to_owned(), cell);
        let mut pairs = vec![
            pair("demands", self.demands.as_str().into()),
            pair("state", self.state.cell()),
            pair("reason", self.reason.as_str().into()),
            pair("records", self.records.into()),
            pair("filter", self.filter.as_str().into()),
            pair("query", self.query.as_str().into()),
        ];
        if !self.samples.is_empty() {
            pairs.push(pair("newest", self.samples.join(", ").into()));
        }
        Block::Pairs(pairs)
    }
}

impl Days {
    fn block(&self) -> Block {
        let listed = |days: &[String]| match days {
            [] => Cell::toned("none", Tone::Good),
            days => Cell::toned(format!("{}: {}", days.len(), days.join(", ")), Tone::Bad),
        };
        Block::Pairs(vec![
            ("days judged".to_owned(), self.judged.into()),
            ("without any record".to_owned(), listed(&self.without_records)),
            ("without a heartbeat".to_owned(), listed(&self.without_heartbeat)),
        ])
    }
}

impl Lost {
    fn block(&self) -> Block {
        let events = if self.events_complete {
            bad_if(self.events)
        } else {
            Cell::toned(format!("at least {}", self.events), Tone::Bad)
        };
        Block::Pairs(vec![
            ("system.audit_gap records".to_owned(), self.records.into()),
            ("that tell of lost events".to_owned(), bad_if(self.of_lost_events)),
            ("events lost".to_owned(), events),
            ("query".to_owned(), self.query.as_str().into()),
        ])
    }
}

fn bad_if(count: u64) -> Cell {
    Cell::toned(count, if count == 0 { Tone::Good } else { Tone::Bad })
}
