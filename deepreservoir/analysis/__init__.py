"""Reading a trained model: its betas, its spectra, what it costs."""

from ..layers import MultiplyAdds
from .beta import Betas, betas_of
from .cost import Cost, CountedWork, HeldBytes, cost_of
from .counting import multiply_adds
from .formulas import (
    PaperCost,
    paper_cost,
    paper_distributable,
    paper_memory,
    paper_training_flops,
)
from .spectrum import (
    AdapterSpectrum,
    LayerSpectrum,
    ScaffoldSpectrum,
    adapter_spectrum,
    scaffold_spectrum,
    spectra_of,
)
from .subject import network_of

__all__ = [
    "AdapterSpectrum",
    "Betas",
    "Cost",
    "CountedWork",
    "HeldBytes",
    "LayerSpectrum",
    "MultiplyAdds",
    "PaperCost",
    "ScaffoldSpectrum",
    "adapter_spectrum",
    "betas_of",
    "cost_of",
    "multiply_adds",
    "network_of",
    "paper_cost",
    "paper_distributable",
    "paper_memory",
    "paper_training_flops",
    "scaffold_spectrum",
    "spectra_of",
]
