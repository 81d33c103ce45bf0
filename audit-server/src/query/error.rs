//! Why a question cannot be answered as it was put. Each names its parameter.

/// A parameter that the endpoint does not have. A misspelt filter that was passed over in silence
/// would answer another question than the one asked.
#[derive(Debug, thiserror::Error)]
#[error("there is no parameter {name:?} here")]
pub struct UnknownParameter {
    /// Its name, cut to a length that fits an answer.
    pub name: String,
}

/// A parameter given more than once that means one thing.
#[derive(Debug, thiserror::Error)]
#[error("{name} may be given once only")]
pub struct RepeatedParameter {
    /// Its name.
    pub name: String,
}

/// A parameter whose value cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{name} is malformed: {reason}")]
pub struct InvalidValue {
    /// Its name.
    pub name: String,
    /// What it should look like.
    pub reason: String,
}

/// A parameter whose value is well-formed and yet not possible here.
#[derive(Debug, thiserror::Error)]
#[error("{name} is not possible here: {reason}")]
pub struct ForbiddenValue {
    /// Its name.
    pub name: &'static str,
    /// Why not, and what is.
    pub reason: &'static str,
}
