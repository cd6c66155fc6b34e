"""What the deep estimators share: parameters, reading, fitting, predicting."""
