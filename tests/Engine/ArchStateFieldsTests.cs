// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using System.Runtime.CompilerServices;
using Lguest.Engine.Cpu;

namespace Lguest.Tests.EngineParts;

/// <summary>Of what the state of a processor consists.</summary>
public sealed class ArchStateFieldsTests
{
    /// <summary>It can be written down: no addresses of the host's, nothing of another process's.</summary>
    [Fact]
    public void ItIsNumbersOnly()
    {
        Assert.False(RuntimeHelpers.IsReferenceOrContainsReferences<ArchState>());
        Assert.Empty(Pointers(typeof(ArchState)));
        Assert.Contains(Pointers(typeof(CpuState)), static field => field.Name == nameof(InterpreterScratch.Tlb));
    }

    private static IEnumerable<FieldInfo> Pointers(Type type)
    {
        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            if (field.FieldType.IsPointer)
                yield return field;
            else if (!field.FieldType.IsPrimitive)
            {
                foreach (FieldInfo inner in Pointers(field.FieldType))
                    yield return inner;
            }
        }
    }
}
