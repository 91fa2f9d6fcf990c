"""FastAPI, as one writes it by hand: a model for what comes in, a model for what goes out, an async handler."""

from typing import Annotated

from classifier import Classifier
from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()
classify = Classifier()


class Flower(BaseModel):
    X: Annotated[list[float], Field(min_length=4, max_length=4)]


class Species(BaseModel):
    prediction: int
    probabilities: list[float]


@app.post("/predict")
async def predict(flower: Flower) -> Species:
    labels, probabilities = classify([flower.X])
    return Species(prediction=int(labels[0]), probabilities=probabilities[0].tolist())
