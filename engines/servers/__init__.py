"""What is asked of a server beside the race: connections, tables, seeds, topology, counters, durability."""
