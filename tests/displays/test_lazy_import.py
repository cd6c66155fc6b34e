"""matplotlib is optional, and imported when something is drawn."""

import subprocess
import sys


def test_matplotlib_is_imported_when_something_is_drawn():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from deepreservoir import ForecastDisplay\n"
        "display = ForecastDisplay(y_pred=[1.0, 2.0])\n"
        "try:\n    display.plot()\nexcept ImportError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ForecastDisplay needs matplotlib: pip install 'deepreservoir[plot]'" in run.stdout
