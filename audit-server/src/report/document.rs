//! A report for people: headings, sentences and tables, before they become HTML or lines of a
//! terminal.

/// What a report looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) title: String,
    pub(crate) sections: Vec<Section>,
}

/// A part of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) blocks: Vec<Block>,
}

/// What a section is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// A sentence or two.
    Text(String),
    /// Names, each with what it stands for.
    Pairs(Vec<(String, Cell)>),
    Table(Table),
    /// A series of numbers, oldest first, each with the name of its place.
    Series {
        unit: String,
        points: Vec<(String, u64)>,
    },
}

/// Rows below names of columns. What a table would be empty of is said instead of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Names, and how what is below them stands.
    pub(crate) columns: Vec<(String, Align)>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// What is left out of it, in a sentence; empty when nothing is.
    pub(crate) note: String,
}

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Align {
    #[default]
    Left,
    /// For numbers.
    Right,
}

/// Text, with how it is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// How something is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Bad,
    /// Nothing is known.
    Unknown,
}

impl Document {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), sections: Vec::new() }
    }

    /// Adds a section.
    #[must_use]
    pub(crate) fn section(
        mut self,
        heading: impl Into<String>,
        blocks: impl IntoIterator<Item = Block>,
    ) -> Self {
        let section = Section { heading: heading.into(), blocks: blocks.into_iter().collect() };
        self.sections.push(section);
        self
    }

    /// Whether any cell of it has a mark, so that a legend is wanted.
    pub(crate) fn is_marked(&self) -> bool {
        let marked = |cell: &Cell| !cell.tone.mark().is_empty();
        self.sections.iter().flat_map(|section| &section.blocks).any(|block| match block {
            Block::Text(_) | Block::Series { .. } => false,
            Block::Pairs(pairs) => pairs.iter().any(|(_, cell)| marked(cell)),
            Block::Table(table) => table.rows.iter().flatten().any(marked),
        })
    }
}

impl Table {
    /// A table with these columns; those whose name begins with `#` are of numbers, and have it
    /// without that.
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let column = |name: &str| match name.strip_prefix('#') {
            Some(name) => (name.to_owned(), Align::Right),
            None => (name.to_owned(), Align::Left),
        };
        Self { columns: names.into_iter().map(column).collect(), ..Self::default() }
    }

    /// How many columns it has, those without a name counted, of rows that are longer than the names.
    pub(crate) fn width(&self) -> usize {
        self.rows.iter().map(Vec::len).fold(self.columns.len(), usize::max)
    }

    /// How the cells of a column stand.
    pub(crate) fn align(&self, column: usize) -> Align {
        self.columns.get(column).map_or(Align::Left, |(_, align)| *align)
    }

    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.rows.push(row.into_iter().collect());
    }
}

impl Tone {
    /// Those that are marked, in the order of a legend.
    pub(crate) const MARKED: [Self; 3] = [Self::Good, Self::Bad, Self::Unknown];

    /// What stands before the text, so that nobody needs to see colours; empty when it is plain.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "✓",
            Self::Bad => "!",
            Self::Unknown => "?",
        }
    }

    /// What the mark says; empty when there is none.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "as it should be",
            Self::Bad => "to be looked at",
            Self::Unknown => "not known",
        }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.to_string(), tone: Tone::Plain }
    }
}

impl Cell {
    pub(crate) fn toned(text: impl Into<Self>, tone: Tone) -> Self {
        Self { tone, ..text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_is_wanted_for_a_mark_in_any_cell_and_for_nothing_else() {
        let of = |block| Document::new("t").section("s", [block]);
        let table = |cell: Cell| {
            let mut table = Table::new(["name"]);
            table.push(["a".into()]);
            table.push([cell]);
            Block::Table(table)
        };
        let pairs = |cell| Block::Pairs(vec![("name".to_owned(), cell)]);
        for tone in Tone::MARKED {
            assert!(of(table(Cell::toned("b", tone))).is_marked());
            assert!(of(pairs(Cell::toned("b", tone))).is_marked());
        }
        for block in [table("b".into()), pairs("b".into()), Block::Text("! b".to_owned())] {
            assert!(!of(block).is_marked());
        }
    }
}
