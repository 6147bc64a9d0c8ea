//! The two sides of a convolution, transposed or not.
//!
//! *Unfold* (im2col) writes, for each grid point, the K = kernel·kernel·C numbers that the kernel
//! sees there as one row; *fold* (col2im) adds such rows back into a picture. They are each other's
//! adjoint, so four lines say everything. With P grid points, G channels on the grid's side and R
//! the weight as (G, K):
//!
//! ```text
//! convolution             y (P, G) = unfold(x) (P, K) · Rᵀ       dx = fold(dy · R)      dR = dyᵀ · unfold(x)
//! transposed convolution  y = fold(x (P, G) · R)                 dx = unfold(dy) · Rᵀ   dR = xᵀ · unfold(dy)
//! ```

use crate::layers::Window;

/// The two sides of a kernel: the picture that it moves over, and the grid of its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Channels of the picture, without the label's planes.
    pub channels: usize,
    /// Rows and columns of the picture.
    pub picture: (usize, usize),
    /// Channels on the grid's side, without the label's planes.
    pub filters: usize,
    /// Rows and columns of the grid.
    pub grid: (usize, usize),
    /// How the kernel moves.
    pub window: Window,
}

/// Which way the layer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Convolution: from the picture to the grid. `weight` is (filters, channels + classes, k, k).
    Gather,
    /// Transposed convolution: from the grid to the picture. `weight` is
    /// (filters + classes, channels, k, k).
    Scatter,
}

/// A convolution or transposed convolution between two shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Which way.
    pub direction: Direction,
    /// Between which shapes.
    pub geometry: Geometry,
}

impl Geometry {
    /// P: grid points.
    pub fn points(&self) -> usize {
        self.grid.0 * self.grid.1
    }

    /// k²: numbers that the kernel sees of one channel.
    pub fn taps(&self) -> usize {
        self.window.kernel * self.window.kernel
    }

    /// K: numbers that the kernel sees at a point.
    pub fn row(&self) -> usize {
        self.taps() * self.channels
    }

    /// Numbers in one picture.
    pub fn picture_len(&self) -> usize {
        self.channels * self.picture.0 * self.picture.1
    }

    /// Numbers on the grid of one picture.
    pub fn grid_len(&self) -> usize {
        self.filters * self.points()
    }
}

impl Convolution {
    /// The shape of a batch of outputs: (N, C, H, W).
    pub fn output(&self, n: usize) -> (usize, usize, usize, usize) {
        let Geometry { channels, picture, filters, grid, .. } = self.geometry;
        match self.direction {
            Direction::Gather => (n, filters, grid.0, grid.1),
            Direction::Scatter => (n, channels, picture.0, picture.1),
        }
    }
}
