"""`python -m ledger_service.workshop MEMORY_BYTES CPU_SECONDS`: the process that works; see `child`."""

from ledger_service.workshop.child import main

if __name__ == "__main__":
    main()
