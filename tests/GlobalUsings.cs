// SPDX-License-Identifier: GPL-2.0-or-later
global using Lguest.GuestAbi.Generations;
global using Lguest.GuestAbi.Processor;
global using Xunit;
