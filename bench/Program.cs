// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Bench;

// One word for one benchmark; none for all.
if (args.Length == 0 || args.Contains("tracing"))
    TracingOverhead.Run(Console.Out);
return 0;
