//! Memory that held what is written nowhere.

/// Empties a buffer and leaves zeros in all the memory that it has, whether it is used again or given back. What it had before it
/// grew, and what the application itself holds of a value, is beyond this.
pub(crate) fn wipe(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(bytes.capacity(), 0);
    // Else the compiler may see that nobody reads the zeros.
    std::hint::black_box(&mut *bytes);
    bytes.clear();
}
