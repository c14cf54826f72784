"""The signal process: feature vectors → Predict → signal → sizing → target intent."""
