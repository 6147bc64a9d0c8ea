//! Memory that is given back: a server that reads models anew must not keep what the old ones had.

/// Blocks from this size on are the system's own pages, which go back to it as soon as they are freed. glibc by
/// itself raises the limit to the largest block that was ever freed, here a model's weights, and the holes that
/// such blocks leave stay with the process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_PAGES: libc::c_int = 1 << 20;

/// Pools of small blocks; by itself glibc has eight for each core, each with what its threads once needed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const POOLS: libc::c_int = 2;

/// Tells the allocator to give back what is free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_little() {
    // SAFETY: both only set a number of the allocator's, which it may refuse.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_PAGES);
        libc::mallopt(libc::M_ARENA_MAX, POOLS);
    }
}

/// Gives back what is free now.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    // SAFETY: it touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_little() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
