"""What is seen and measured of packets in a lab: traces, captures, benches."""
