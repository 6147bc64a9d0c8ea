//! Parts of the data: training and test.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::labelled::LabelledImages;

/// Which part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The training part: of MNIST, 60,000 images. Of data that have no test part, all
    #[default]
    Train,
    /// The test part: of MNIST, 10,000 images
    Test,
    /// Both. No figure measured on the test images then says anything
    All,
}

impl Split {
    /// What files call it.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "test",
            Split::All => "all",
        }
    }

    /// Reads the part, of which the training and the test half are each read by `read`.
    pub(super) fn read<H>(
        self,
        [train, test]: [H; 2],
        mut read: impl FnMut(H) -> Result<LabelledImages, DataError>,
    ) -> Result<LabelledImages, DataError> {
        match self {
            Split::Train => read(train),
            Split::Test => read(test),
            Split::All => read(train)?.followed_by(&read(test)?),
        }
    }
}
