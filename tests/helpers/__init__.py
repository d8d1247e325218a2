"""What the tests share: servers, clients, builders and a pure model of the contract."""
