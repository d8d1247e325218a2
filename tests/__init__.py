"""The suite: unit, property, contract, integration, concurrency, e2e; helpers holds what they share."""
