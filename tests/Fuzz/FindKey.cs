// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Reflection;

namespace Lguest.Tests.Fuzz;

/// <summary>What makes two finds the same: the exception, and where in the product it came from.</summary>
internal static class FindKey
{
    public static string Of(Exception failure)
    {
        foreach (StackFrame frame in new StackTrace(failure).GetFrames())
        {
            MethodBase? method = frame.GetMethod();
            if (method?.DeclaringType is { } type && type.Assembly != typeof(FindKey).Assembly && type.Namespace?.StartsWith("Lguest.", StringComparison.Ordinal) == true)
                return $"{failure.GetType().Name} in {type.FullName}.{method.Name}";
        }

        // The target's own judgement: the beginning of its sentence says which.
        const int enough = 60;
        return $"{failure.GetType().Name}: {new string([.. failure.Message.Where(c => !char.IsAsciiDigit(c)).Take(enough)])}";
    }
}
