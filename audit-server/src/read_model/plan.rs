//! From a filter to what the index can say of it.
//!
//! The index is asked in two ways. For each chunk, [`Plan::bounds`] gives positions that certainly
//! match and positions that may: where the two are the same, nothing needs to be read. And
//! [`Plan::terms`] is a question to the term index that each match must answer, if there is one.
//!
//! It is one file, however long: each kind of plan is made, asked for terms and evaluated here, and the
//! three must agree.

use std::cell::Cell;

use audit_layer::{event_type, keyring::Purpose, record::Member};
use rusqlite::Connection;

use super::{
    bits::Bits,
    blind::{self, Postings},
    chunk::Chunk,
    content::{self, KEYED, LONG, RAISED},
    dictionary::{self, FacetId, NameId, Whereabouts},
    number::{Code, Codes},
    schema::State,
    tokens::{DAMAGED, HashKey},
    vocabulary,
};
use crate::filter::{Field, Filter, SealedText, Test, Wanted, Words};

/// The most words of one beginning that are asked for one by one. Where there are more, one of them is
/// soon met.
const MAX_BEGINNING: usize = 32;

/// The most postings of sealed values that one question asks for.
const MAX_POSTINGS: usize = 256;

/// What the index can say of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// Exactly the records of this facet.
    Facet(FacetId),
    /// Exactly the first, and some of the second besides.
    Some(Vec<FacetId>, FacetId),
    /// The records whose number under the name is so.
    Numbers(NameId, Codes),
    /// All records of a chunk where that may be so of any, and none of the others: what can be known
    /// without looking at each.
    Reaches(NameId, Codes),
    /// The records that have this key, as a term.
    Key(String),
    /// The records that say this word, as a term; and its bitmaps, in the chunks that have one.
    Word(String, Option<FacetId>),
    /// The records that say a word that begins so, as a term.
    Prefix(String),
    /// No record at all.
    Nothing,
    /// Any record may match.
    Unknown,
}

/// What may match in a chunk.
#[derive(Clone)]
pub(super) enum Set {
    Empty,
    /// All positions that the chunk has.
    Full,
    Bits(Bits),
}

/// Positions that match.
pub(super) enum Bounds {
    Exactly(Set),
    /// Those that certainly match, and those that may.
    Between(Set, Set),
}

/// A question to the term index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) question: String,
    /// Whether a key is among them, which has few records.
    has_key: bool,
    /// Whether a word is among them that has no bitmap anywhere.
    has_rare_word: bool,
    /// Whether a prefix is among them. The term index puts all its records together before it
    /// gives out the first.
    pub(super) has_prefix: bool,
    /// Whether there are several, of which no record may have all.
    pub(super) are_several: bool,
}

impl Terms {
    /// Whether bitmaps may say as much: all of them are words that many records have.
    pub(super) fn are_dense(&self) -> bool {
        !(self.has_key || self.has_rare_word || self.has_prefix)
    }

    /// Whether the record that answers the question has this term for certain.
    pub(super) fn has_all(&self, plan: &Plan) -> bool {
        // Prefixes are left out where there is a key.
        !(self.has_key && matches!(plan, Plan::Prefix(_)))
    }

    fn joined(each: impl Iterator<Item = Self>, word: &str) -> Option<Self> {
        let mut all: Vec<Self> = each.collect();
        if all.len() < 2 {
            return all.pop();
        }
        let questions: Vec<&str> = all.iter().map(|terms| &*terms.question).collect();
        Some(Self {
            question: format!("({})", questions.join(word)),
            has_key: all.iter().any(|terms| terms.has_key),
            has_rare_word: all.iter().any(|terms| terms.has_rare_word),
            has_prefix: all.iter().any(|terms| terms.has_prefix),
            are_several: true,
        })
    }
}

impl Bounds {
    const UNKNOWN: Self = Self::Between(Set::Empty, Set::Full);

    /// The positions that may match.
    pub(super) fn possible(self) -> Set {
        match self {
            Self::Exactly(set) | Self::Between(_, set) => set,
        }
    }

    /// The positions that certainly match, and those that may.
    pub(super) fn both(self) -> (Set, Set) {
        match self {
            Self::Exactly(set) => (set.clone(), set),
            Self::Between(certain, possible) => (certain, possible),
        }
    }

    /// The positions that may match, unless all may.
    fn left(&self) -> Option<&Bits> {
        match self {
            Self::Exactly(Set::Bits(bits)) | Self::Between(_, Set::Bits(bits)) => Some(bits),
            _ => None,
        }
    }

    /// Whether nothing may match.
    fn is_nothing(&self) -> bool {
        match self {
            Self::Exactly(set) | Self::Between(_, set) => set.is_empty(),
        }
    }

    fn joined(self, other: Self, join: fn(Set, Set) -> Set) -> Self {
        match (self, other) {
            (Self::Exactly(a), Self::Exactly(b)) => Self::Exactly(join(a, b)),
            (a, b) => {
                let ((certain, possible), (other_certain, other_possible)) = (a.both(), b.both());
                Self::Between(join(certain, other_certain), join(possible, other_possible))
            }
        }
    }

    fn not(self, count: usize) -> Self {
        match self {
            Self::Exactly(set) => Self::Exactly(set.not(count)),
            Self::Between(certain, possible) => {
                Self::Between(possible.not(count), certain.not(count))
            }
        }
    }
}

impl Plan {
    /// Plans a filter.
    pub(super) fn of(
        filter: &Filter,
        connection: &Connection,
        State { hash_key: key, blind, .. }: State,
    ) -> rusqlite::Result<Self> {
        let planner = Planner { connection, key, blind, postings: Cell::new(MAX_POSTINGS) };
        match filter {
            // The walk is bounded by these already.
            Filter::All(all) => {
                let rest = all.iter().filter(|filter| !matches!(filter, Filter::During(_)));
                let plans = rest.map(|filter| planner.plan(filter));
                Ok(Self::all(plans.collect::<rusqlite::Result<_>>()?))
            }
            other => planner.plan(other),
        }
    }

    /// Each of these, what costs least to know first: the rest of a chunk is not looked at where
    /// nothing is left. The numbers of a name are the dearest, and where it stands is cheap.
    fn all(mut plans: Vec<Self>) -> Self {
        if plans.len() > 1 {
            let before = plans.iter().flat_map(|plan| match plan {
                Self::Numbers(name, codes) => {
                    vec![Self::Reaches(*name, *codes), Self::Facet(name.present())]
                }
                _ => vec![],
            });
            plans.extend(before.collect::<Vec<_>>());
            plans.sort_by_key(Self::cost);
        }
        Self::All(plans)
    }

    /// At least one of these.
    fn any(mut plans: Vec<Self>) -> Self {
        match plans.pop() {
            None => Self::Nothing,
            Some(only) if plans.is_empty() => only,
            Some(last) => {
                plans.push(last);
                Self::Any(plans)
            }
        }
    }

    fn cost(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Reaches(..) => 1,
            Self::Facet(_) => 2,
            Self::Some(..) | Self::Any(_) | Self::All(_) | Self::Not(_) => 3,
            Self::Word(..) => 4,
            Self::Numbers(..) => 5,
            Self::Key(_) | Self::Prefix(_) | Self::Unknown => 6,
        }
    }

    /// A question to the term index that every match answers, when there is one. Of a model that has
    /// `damaged` records these answer it too.
    pub(super) fn terms(&self, damaged: bool) -> Option<Terms> {
        let mut terms = self.required()?;
        // A prefix is looked up whole, and a key has few records: these are read instead.
        if terms.has_key && terms.has_prefix {
            terms = self.without_prefixes().required()?;
        }
        if damaged {
            terms.question = format!("({}) OR \"{DAMAGED}\"", terms.question);
        }
        Some(terms)
    }

    fn required(&self) -> Option<Terms> {
        match self {
            Self::Key(question) => {
                Some(Terms { question: question.clone(), has_key: true, ..Terms::default() })
            }
            Self::Word(question, dense) => Some(Terms {
                question: question.clone(),
                has_rare_word: dense.is_none(),
                ..Terms::default()
            }),
            Self::Prefix(question) => {
                Some(Terms { question: question.clone(), has_prefix: true, ..Terms::default() })
            }
            Self::All(all) => Terms::joined(all.iter().filter_map(Self::required), " AND "),
            Self::Any(any) => {
                let each: Option<Vec<Terms>> = any.iter().map(Self::required).collect();
                Terms::joined(each?.into_iter(), " OR ")
            }
            _ => None,
        }
    }

    fn without_prefixes(&self) -> Self {
        let each = |plans: &[Self]| plans.iter().map(Self::without_prefixes).collect();
        match self {
            Self::Prefix(_) => Self::Unknown,
            Self::All(all) => Self::All(each(all)),
            Self::Any(any) => Self::Any(each(any)),
            other => other.clone(),
        }
    }

    /// Whether bitmaps say anything of it.
    pub(super) fn has_bounds(&self) -> bool {
        self.is_bounded(&|_| false)
    }

    /// Whether bitmaps say anything of it, with the term index asked for those of its keys and words
    /// in each chunk.
    pub(super) fn has_bounds_by_chunk(&self) -> bool {
        self.is_bounded(&|plan| matches!(plan, Self::Key(_) | Self::Word(..)))
    }

    fn is_bounded(&self, is_asked_for: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::Facet(_)
            | Self::Some(..)
            | Self::Numbers(..)
            | Self::Reaches(..)
            | Self::Nothing => true,
            Self::Key(_) | Self::Word(..) | Self::Prefix(_) | Self::Unknown => is_asked_for(self),
            Self::All(all) => all.iter().any(|plan| plan.is_bounded(is_asked_for)),
            Self::Any(any) => any.iter().all(|plan| plan.is_bounded(is_asked_for)),
            Self::Not(inner) => inner.is_bounded(is_asked_for),
        }
    }

    /// Whether all that is known of it is what the question to the term index asks for.
    pub(super) fn is_left_to_terms(&self) -> bool {
        match self {
            Self::Key(_) | Self::Word(..) | Self::Prefix(_) | Self::Unknown => true,
            Self::All(inner) | Self::Any(inner) => inner.iter().all(Self::is_left_to_terms),
            Self::Facet(_)
            | Self::Some(..)
            | Self::Numbers(..)
            | Self::Reaches(..)
            | Self::Not(_)
            | Self::Nothing => false,
        }
    }

    /// What of the chunk matches and may match; only of some positions when only these matter.
    pub(super) fn bounds(
        &self,
        chunk: &Chunk<'_>,
        within: Option<&Bits>,
    ) -> rusqlite::Result<Bounds> {
        let bounds = self.evaluate(chunk, within)?;
        // Of what cannot be read the index knows nothing, and whoever asks is to be told.
        let Some(damaged) = chunk.damaged()? else { return Ok(bounds) };
        let (certain, possible) = bounds.both();
        let damaged = Set::Bits(damaged);
        Ok(Bounds::Between(certain.and(damaged.clone().not(chunk.count())), possible.or(damaged)))
    }

    /// What it says of positions that are not within means nothing.
    fn evaluate(&self, chunk: &Chunk<'_>, within: Option<&Bits>) -> rusqlite::Result<Bounds> {
        let facet = |id| chunk.facets(std::iter::once(id), within);
        Ok(match self {
            Self::Nothing => Bounds::Exactly(Set::Empty),
            Self::Unknown | Self::Prefix(_) => Bounds::UNKNOWN,
            Self::Key(question) => match chunk.term(question)? {
                Some(bits) => Bounds::Exactly(Set::Bits(bits)),
                None => Bounds::UNKNOWN,
            },
            Self::Word(question, id) => match chunk.word(*id, question, within)? {
                Some(bits) => Bounds::Exactly(Set::Bits(bits)),
                None => Bounds::UNKNOWN,
            },
            Self::Facet(id) => Bounds::Exactly(facet(*id)?),
            Self::Some(facets, besides) => {
                let mut certain = Set::Empty;
                for id in facets {
                    certain = certain.or(facet(*id)?);
                }
                let possible = certain.clone().or(facet(*besides)?);
                Bounds::Between(certain, possible)
            }
            Self::Numbers(name, codes) => match chunk.numbers(*name, *codes)? {
                None => Bounds::Exactly(Set::Empty),
                Some((holds, mut may_hold)) => {
                    may_hold.or(&holds);
                    Bounds::Between(Set::Bits(holds), Set::Bits(may_hold))
                }
            },
            Self::Reaches(name, codes) => {
                let reaches = chunk.reaches(*name, *codes)?;
                Bounds::Exactly(if reaches { Set::Full } else { Set::Empty })
            }
            Self::Not(inner) => inner.evaluate(chunk, within)?.not(chunk.count()),
            Self::All(all) => {
                let facets = all.iter().filter_map(|plan| match plan {
                    Self::Facet(id) => Some(*id),
                    _ => None,
                });
                let mut bounds = Bounds::Exactly(Set::Full);
                let mut has_facets = false;
                for plan in all {
                    let left = bounds.left().or(within);
                    let next = match plan {
                        Self::Facet(_) if has_facets => continue,
                        // All of them at once.
                        Self::Facet(_) => {
                            has_facets = true;
                            Bounds::Exactly(chunk.facets(facets.clone(), left)?)
                        }
                        plan => plan.evaluate(chunk, left)?,
                    };
                    bounds = bounds.joined(next, Set::and);
                    if bounds.is_nothing() {
                        return Ok(Bounds::Exactly(Set::Empty));
                    }
                }
                bounds
            }
            Self::Any(any) => {
                let mut bounds = Bounds::Exactly(Set::Empty);
                for plan in any {
                    bounds = bounds.joined(plan.evaluate(chunk, within)?, Set::or);
                }
                bounds
            }
        })
    }
}

impl Set {
    /// Whether that position is one of them.
    pub(super) fn has(&self, position: usize) -> bool {
        match self {
            Self::Empty => false,
            Self::Full => true,
            Self::Bits(bits) => bits.has(position),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full => false,
            Self::Bits(bits) => bits.is_empty(),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Empty, _) | (_, Self::Empty) => Self::Empty,
            (Self::Full, set) | (set, Self::Full) => set,
            (Self::Bits(mut a), Self::Bits(b)) => {
                a.and(&b);
                Self::Bits(a)
            }
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Full, _) | (_, Self::Full) => Self::Full,
            (Self::Empty, set) | (set, Self::Empty) => set,
            (Self::Bits(mut a), Self::Bits(b)) => {
                a.or(&b);
                Self::Bits(a)
            }
        }
    }

    fn not(self, count: usize) -> Self {
        match self {
            Self::Empty => Self::Full,
            Self::Full => Self::Empty,
            Self::Bits(bits) => {
                let mut rest = Bits::first(count);
                rest.and_not(&bits);
                Self::Bits(rest)
            }
        }
    }
}

struct Planner<'p> {
    connection: &'p Connection,
    key: HashKey,
    /// With which keyring the model has sealed values, if with any.
    blind: Option<i64>,
    /// How many postings of sealed values may be asked for yet.
    postings: Cell<usize>,
}

impl Planner<'_> {
    fn plan(&self, filter: &Filter) -> rusqlite::Result<Plan> {
        let each = |filters: &[Filter]| -> rusqlite::Result<Vec<Plan>> {
            filters.iter().map(|filter| self.plan(filter)).collect()
        };
        Ok(match filter {
            Filter::All(all) => Plan::all(each(all)?),
            Filter::Any(any) => Plan::Any(each(any)?),
            Filter::Not(inner) => Plan::Not(Box::new(self.plan(inner)?)),
            Filter::Raises(flag) => self.equals(RAISED, flag.as_str())?,
            Filter::Seals(sealed) => self.sealed(sealed)?,
            Filter::Says(words) => self.said(words)?,
            // What bounds the whole question bounds the walk; within a part of one it is read.
            Filter::During(_) => Plan::Unknown,
            Filter::Is(field, test) => self.test(field, test)?,
        })
    }

    fn test(&self, field: &Field, test: &Test) -> rusqlite::Result<Plan> {
        let name = field.to_string();
        let keyed = match field {
            Field::Member(member) => KEYED.contains(member),
            Field::Detail(_) | Field::Flag(_) => true,
        };
        let numeric = !matches!(field, Field::Member(member) if *member != Member::DurationUs);
        Ok(match test {
            Test::Equals(text) if keyed => self.equals(&name, text.as_str())?,
            Test::Equals(text) => match (field, Code::of(text.as_str())) {
                (Field::Member(Member::DurationUs), Some(code)) => {
                    self.numbers(&name, Codes::equal(code))?
                }
                (Field::Member(Member::Message), _) => self.contains(text.as_str())?,
                _ => Plan::Unknown,
            },
            Test::Number(comparison, wanted) if numeric => match Code::of(&wanted.to_string()) {
                Some(code) => self.numbers(&name, Codes::compared(*comparison, code))?,
                None => Plan::Unknown,
            },
            Test::StartsWith(prefix) => match field {
                Field::Member(Member::EventType | Member::Category) if keyed => {
                    self.begins(&name, prefix.as_str())?
                }
                _ if keyed && !numeric => self.begins(&name, prefix.as_str())?,
                _ => Plan::Unknown,
            },
            Test::Present if keyed || numeric => self.present(&name)?,
            Test::Present
                if matches!(field, Field::Member(Member::Message | Member::ObservedAt)) =>
            {
                self.present(&name)?
            }
            // A leaf that is a number has words, and none in the index.
            Test::Says(words) if *field == Field::Member(Member::Message) => {
                Plan::All(vec![self.said(words)?, Plan::Unknown])
            }
            Test::Says(_) => Plan::Unknown,
            Test::Number(..) | Test::Present => Plan::Unknown,
        })
    }

    /// The terms of a text that stands sealed.
    fn sealed(&self, sealed: &SealedText) -> rusqlite::Result<Plan> {
        let SealedText { field, text, opener } = sealed;
        let (name, keyring) = (field.to_string(), opener.keyring());
        let look_up = || -> Result<Option<Postings>, blind::Failure> {
            let Some(made_with) = self.blind.filter(|_| !opener.has_failed()) else {
                return Ok(None);
            };
            // One key for both, whatever becomes of it meanwhile.
            let tokens = keyring.in_use(Purpose::Index)?;
            if made_with != self.key.of_line(&keyring.index_identity(&tokens)?) {
                return Ok(None);
            }
            let asked = (&*name, text.as_str());
            blind::postings(self.connection, (keyring, &tokens), asked, self.postings.get())
        };
        let found = match look_up() {
            Ok(found) => found,
            Err(blind::Failure::Model(error)) => return Err(error),
            Err(blind::Failure::Keyring(failure)) => {
                opener.failed(failure);
                None
            }
        };
        let Some(Postings { exact, besides }) = found else { return Ok(Plan::Unknown) };
        self.postings.set(self.postings.get().saturating_sub(exact.len()));
        let key = |posting: &str| Plan::Key(self.token(blind::POSTING, Some(posting)));
        let mut plans: Vec<_> = exact.iter().map(|posting| key(posting)).collect();
        plans.extend(besides.map(|posting| Plan::All(vec![key(posting), Plan::Unknown])));
        Ok(Plan::any(plans))
    }

    fn equals(&self, name: &str, text: &str) -> rusqlite::Result<Plan> {
        Ok(match dictionary::whereabouts(self.connection, name, text)? {
            Whereabouts::Facet(facet) => Plan::Facet(facet),
            Whereabouts::Nowhere => Plan::Nothing,
            Whereabouts::Terms => Plan::Key(self.token(name, Some(text))),
        })
    }

    fn token(&self, name: &str, text: Option<&str>) -> String {
        let mut question = String::from('"');
        self.key.push_token(&mut question, name, text);
        question.push('"');
        question
    }

    /// The terms of words that are said anywhere.
    fn said(&self, words: &Words) -> rusqlite::Result<Plan> {
        let mut plans = Vec::new();
        let mut exact = true;
        for wanted in words.wanted() {
            match wanted {
                Wanted::Phrase(phrase) => {
                    exact &= phrase.iter().all(|word| word.len() <= content::MAX_WHOLE_WORD);
                    exact &= self.phrase(phrase, &mut plans)?;
                }
                Wanted::Prefix(prefix) => {
                    exact &= prefix.len() <= content::MAX_WHOLE_WORD;
                    plans.push(self.begin_words(content::cut(prefix))?);
                }
            }
        }
        if !exact {
            plans.push(Plan::Unknown);
        }
        Ok(Plan::All(plans))
    }

    /// The terms of words that follow each other; whether they say it all.
    fn phrase(&self, phrase: &[Box<str>], plans: &mut Vec<Plan>) -> rusqlite::Result<bool> {
        let words: Vec<&str> = phrase.iter().map(|word| content::cut(word)).collect();
        let mut is_paired = vec![false; words.len()];
        for (at, pair) in words.windows(2).enumerate() {
            let pair = pair.join(" ");
            if content::may_be_paired(&pair) {
                is_paired[at..at + 2].fill(true);
                let question = self.token(content::PAIR, Some(&pair));
                plans.push(Plan::Word(question, dictionary::word(self.connection, &pair)?));
            }
        }
        // Who says the pair says its words.
        for (word, _) in words.iter().zip(&is_paired).filter(|(_, paired)| !**paired) {
            plans.push(self.word(word)?);
        }
        Ok(words.len() == 1 || words.len() == 2 && is_paired == [true, true])
    }

    /// The terms of words that begin so.
    fn begin_words(&self, prefix: &str) -> rusqlite::Result<Plan> {
        let Some(words) = vocabulary::beginning(self.connection, prefix, MAX_BEGINNING)? else {
            return Ok(Plan::Prefix(format!("\"{prefix}\"*")));
        };
        let plans = words.iter().map(|word| self.word(word)).collect::<Result<_, _>>()?;
        Ok(Plan::any(plans))
    }

    fn word(&self, word: &str) -> rusqlite::Result<Plan> {
        let id = dictionary::word(self.connection, word)?;
        Ok(Plan::Word(format!("\"{word}\""), id))
    }

    /// The terms of a message that is exactly this.
    fn contains(&self, text: &str) -> rusqlite::Result<Plan> {
        match text.parse() {
            Ok(words) => Ok(Plan::All(vec![self.said(&words)?, Plan::Unknown])),
            Err(_) => Ok(Plan::Unknown),
        }
    }

    fn numbers(&self, name: &str, codes: Codes) -> rusqlite::Result<Plan> {
        Ok(match dictionary::name(self.connection, name)? {
            Some(name) => Plan::Numbers(name, codes),
            None if dictionary::names_are_full(self.connection)? => Plan::Unknown,
            None => Plan::Nothing,
        })
    }

    fn present(&self, name: &str) -> rusqlite::Result<Plan> {
        Ok(match dictionary::name(self.connection, name)? {
            Some(name) => Plan::Facet(name.present()),
            None if dictionary::names_are_full(self.connection)? => {
                Plan::Key(self.token(name, None))
            }
            None => Plan::Nothing,
        })
    }

    fn begins(&self, name: &str, prefix: &str) -> rusqlite::Result<Plan> {
        let Some(id) = dictionary::name(self.connection, name)? else {
            let full = dictionary::names_are_full(self.connection)?;
            return Ok(if full { Plan::Unknown } else { Plan::Nothing });
        };
        let values = dictionary::values(self.connection, id)?;
        if values.full {
            // The categories may yet all be known.
            return match prefix.strip_suffix('.') {
                Some(category)
                    if name == Member::EventType.name()
                        && event_type::category(prefix) == category =>
                {
                    self.equals(content::TYPE_CATEGORY, category)
                }
                _ => Ok(Plan::All(vec![Plan::Facet(id.present()), Plan::Unknown])),
            };
        }
        let long = values.facets.iter().find(|(_, text)| **text == *LONG).map(|(id, _)| *id);
        let mut facets: Vec<FacetId> = values
            .facets
            .iter()
            .filter(|(_, text)| text.starts_with(prefix))
            .map(|(facet, _)| *facet)
            .collect();
        Ok(match (facets.pop(), long) {
            (None, None) => Plan::Nothing,
            (Some(only), None) if facets.is_empty() => Plan::Facet(only),
            (last, long) => {
                facets.extend(last);
                let besides = long.or(last).unwrap_or(FacetId::DAMAGED);
                Plan::Some(facets, besides)
            }
        })
    }
}
