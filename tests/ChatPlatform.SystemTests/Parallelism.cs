// Each test class may start a whole system: side by side they would share two cores and time each other out.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
