"""The common base of the deep estimators: parameters, reading, fitting, predicting."""
